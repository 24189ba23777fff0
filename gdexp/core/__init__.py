"""What every room may use: errors, checks of values, redaction of secrets, signals, paths."""

from gdexp.core import gc_control, signals, validation
from gdexp.core.errors import (
    BadInput,
    CommandFailed,
    Ended,
    GdexpError,
    StorageFailed,
    StudyHeld,
    code_failed,
    nearest,
    printable,
)
from gdexp.core.lazy import lazy_names
from gdexp.core.os_errors import reason
from gdexp.core.paths import here, relative, standing
from gdexp.core.redaction import (
    HIDDEN,
    guarding,
    hidden,
    hidden_lines,
    hidden_value,
    learn,
    redacted,
    secret_key,
    secret_text,
)
from gdexp.core.signals import Interrupted, raising

__all__ = [
    "HIDDEN",
    "BadInput",
    "CommandFailed",
    "Ended",
    "GdexpError",
    "Interrupted",
    "StorageFailed",
    "StudyHeld",
    "code_failed",
    "gc_control",
    "guarding",
    "here",
    "hidden",
    "hidden_lines",
    "hidden_value",
    "lazy_names",
    "learn",
    "nearest",
    "printable",
    "raising",
    "reason",
    "redacted",
    "relative",
    "secret_key",
    "secret_text",
    "signals",
    "standing",
    "validation",
]
