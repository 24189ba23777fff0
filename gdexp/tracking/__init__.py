"""MLflow: where runs are kept, what one run's record is, and writing it."""

from gdexp.tracking.address_conversion import convert_addresses
from gdexp.tracking.arrays import (
    Array,
    check_trace,
    decode_array,
    encode_array,
    read_array,
    stored_files,
)
from gdexp.tracking.artifact_address import absolute_address, local_folder
from gdexp.tracking.artifacts import upload, write_files
from gdexp.tracking.config_yaml import config_yaml
from gdexp.tracking.database_check import check_name
from gdexp.tracking.database_closing import close_at_end
from gdexp.tracking.database_connection import holds_run
from gdexp.tracking.database_creation import ensure_database, prepare_template
from gdexp.tracking.deletion import DoomedRun, delete_runs
from gdexp.tracking.lifecycle import has_active_run
from gdexp.tracking.live_curves import LiveCurves, Points
from gdexp.tracking.mlflow_process import configure_mlflow_process, quiet_mlflow
from gdexp.tracking.mlflow_ui import (
    MOST_COMMAND,
    NOTE_TAG,
    SweepView,
    chart_views,
    code_block,
    descent_note,
    escape_markdown,
    run_display,
)
from gdexp.tracking.no_store import NoStore
from gdexp.tracking.programs import SharedPrograms, program_name
from gdexp.tracking.record import (
    CONFIRMATION,
    F_STAR_TAG,
    FURTHER_KINDS,
    HELD_OUT,
    MANIFEST,
    RACE,
    PlannedRun,
    Record,
    RunHeader,
    descent_record,
    json_bytes,
    loss_levels,
    manifest,
    params,
)
from gdexp.tracking.server_address import (
    database_key,
    has_password,
    is_postgresql,
    mask_uri,
    with_driver,
)
from gdexp.tracking.server_check import check_server
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.shard_folder import ShardFolder
from gdexp.tracking.shard_row import ALL_SEEDS, ShardRow
from gdexp.tracking.store import Store
from gdexp.tracking.store_location import StoreLocation, tracking_settings, tracking_uri

__all__ = [
    "ALL_SEEDS",
    "CONFIRMATION",
    "FURTHER_KINDS",
    "F_STAR_TAG",
    "HELD_OUT",
    "MANIFEST",
    "MOST_COMMAND",
    "NOTE_TAG",
    "RACE",
    "Array",
    "DoomedRun",
    "LiveCurves",
    "NoStore",
    "PlannedRun",
    "Points",
    "Record",
    "RunHeader",
    "ShardFolder",
    "ShardRow",
    "SharedPrograms",
    "Store",
    "StoreLocation",
    "SweepView",
    "TrackingSettings",
    "absolute_address",
    "chart_views",
    "check_name",
    "check_server",
    "check_trace",
    "close_at_end",
    "code_block",
    "config_yaml",
    "configure_mlflow_process",
    "convert_addresses",
    "database_key",
    "decode_array",
    "delete_runs",
    "descent_note",
    "descent_record",
    "encode_array",
    "ensure_database",
    "escape_markdown",
    "has_active_run",
    "has_password",
    "holds_run",
    "is_postgresql",
    "json_bytes",
    "local_folder",
    "loss_levels",
    "manifest",
    "mask_uri",
    "params",
    "prepare_template",
    "program_name",
    "quiet_mlflow",
    "read_array",
    "run_display",
    "stored_files",
    "tracking_settings",
    "tracking_uri",
    "upload",
    "with_driver",
    "write_files",
]
