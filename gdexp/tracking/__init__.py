"""MLflow: where runs are kept, what one run's record is, and writing it."""

from gdexp.tracking.arrays import Array, check_trace, decode_array, encode_array, read_array
from gdexp.tracking.config_yaml import config_yaml
from gdexp.tracking.mlflow_ui import (
    MOST_COMMAND,
    NOTE_TAG,
    chart_views,
    code,
    descent_note,
    inert,
    run_display,
)
from gdexp.tracking.parquet import TOGETHER, Row
from gdexp.tracking.parquet_folder import ShardFolder
from gdexp.tracking.record import (
    MANIFEST,
    Opening,
    Pending,
    Record,
    descent_record,
    json_bytes,
    levels,
    manifest,
    params,
)
from gdexp.tracking.server import (
    check_server,
    has_password,
    is_postgresql,
    masked,
    named_database,
    with_driver,
)
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.sqlite import ensure_database
from gdexp.tracking.store import Store, prepare_mlflow

__all__ = [
    "MANIFEST",
    "MOST_COMMAND",
    "NOTE_TAG",
    "TOGETHER",
    "Array",
    "Opening",
    "Pending",
    "Record",
    "Row",
    "ShardFolder",
    "Store",
    "TrackingSettings",
    "chart_views",
    "check_server",
    "check_trace",
    "code",
    "config_yaml",
    "decode_array",
    "descent_note",
    "descent_record",
    "encode_array",
    "ensure_database",
    "has_password",
    "inert",
    "is_postgresql",
    "json_bytes",
    "levels",
    "manifest",
    "masked",
    "named_database",
    "params",
    "prepare_mlflow",
    "read_array",
    "run_display",
    "with_driver",
]
