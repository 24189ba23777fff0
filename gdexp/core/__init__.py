"""What every room may use: errors, checks of values, redaction of secrets, signals, paths."""

from gdexp.core import gc_control, json_output, signals, streams, validation
from gdexp.core.call_arguments import arguments_of, keep_arguments
from gdexp.core.closing import at_end
from gdexp.core.contexts import context_thread, context_value, submit_in_context
from gdexp.core.csv_file import csv_bytes
from gdexp.core.driven_process import obey
from gdexp.core.errors import (
    BadInput,
    CommandExit,
    CommandFailed,
    GdexpError,
    StorageChanged,
    StorageFailed,
    StudyInUse,
    WorkEnded,
    code_errors,
    described_error,
    error_text,
    nearest,
    printable,
    printable_line,
)
from gdexp.core.formatting import (
    format_count,
    format_counts,
    format_duration,
    format_large_count,
    format_number,
    format_value,
    gap_formula,
    gap_name,
)
from gdexp.core.given_objects import (
    given_name,
    given_object,
    given_path,
    giving,
    is_given,
    is_missing,
    not_rerunnable,
)
from gdexp.core.guarded_code import guarded, guarded_import
from gdexp.core.json_text import indented_json, json_text
from gdexp.core.lazy import lazy_names
from gdexp.core.learned_secrets import MASK, learn_secret
from gdexp.core.lost_output import lost_output
from gdexp.core.memory import is_out_of_memory, machine_memory, release_freed_memory
from gdexp.core.object_digest import Described, described
from gdexp.core.os_errors import FULL_DISK, failure_reason
from gdexp.core.paths import check_file_name, command_folder, shown_path
from gdexp.core.process import Process
from gdexp.core.process_table import machine, process_exists, process_start
from gdexp.core.redaction import mask_secrets, mask_source, mask_value
from gdexp.core.regular_file import open_regular, read_regular
from gdexp.core.secret_finder import has_secret, is_secret
from gdexp.core.secret_words import is_secret_key
from gdexp.core.signals import Interrupted
from gdexp.core.sync_folder import sync_folder
from gdexp.core.user_code import UserCode, changed_files, user_code, watched

__all__ = [
    "FULL_DISK",
    "MASK",
    "BadInput",
    "CommandExit",
    "CommandFailed",
    "Described",
    "GdexpError",
    "Interrupted",
    "Process",
    "StorageChanged",
    "StorageFailed",
    "StudyInUse",
    "UserCode",
    "WorkEnded",
    "arguments_of",
    "at_end",
    "changed_files",
    "check_file_name",
    "code_errors",
    "command_folder",
    "context_thread",
    "context_value",
    "csv_bytes",
    "described",
    "described_error",
    "error_text",
    "failure_reason",
    "format_count",
    "format_counts",
    "format_duration",
    "format_large_count",
    "format_number",
    "format_value",
    "gap_formula",
    "gap_name",
    "gc_control",
    "given_name",
    "given_object",
    "given_path",
    "giving",
    "guarded",
    "guarded_import",
    "has_secret",
    "indented_json",
    "is_given",
    "is_missing",
    "is_out_of_memory",
    "is_secret",
    "is_secret_key",
    "json_output",
    "json_text",
    "keep_arguments",
    "lazy_names",
    "learn_secret",
    "lost_output",
    "machine",
    "machine_memory",
    "mask_secrets",
    "mask_source",
    "mask_value",
    "nearest",
    "not_rerunnable",
    "obey",
    "open_regular",
    "printable",
    "printable_line",
    "process_exists",
    "process_start",
    "read_regular",
    "release_freed_memory",
    "shown_path",
    "signals",
    "streams",
    "submit_in_context",
    "sync_folder",
    "user_code",
    "validation",
    "watched",
]
