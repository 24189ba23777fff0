"""The errors that a user may see: one line each, with an exit status.

Every message names the key, its value, what is allowed and, where it helps, what to do next.
`GDEXP_DEBUG=1` adds the traceback on the command line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from gdexp.core.guarded_code import guarded
from gdexp.core.memory import is_out_of_memory
from gdexp.core.process_exit import ExitCalled
from gdexp.core.redaction import mask_secrets, mask_value


class GdexpError(Exception):
    """The work failed; the base of every error that gdexp raises on purpose.

    Args:
        message: one line; secrets in it become `***`, control characters `?`.
    """

    exit_status = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(mask_secrets(message)))


class BadInput(GdexpError, ValueError):
    """A value that cannot be used, found before anything was written.

    Args:
        key: the config key or argument, as the user types it (`optimizer.lr`).
        value: the value that was given.
        allowed: what is allowed instead, and what to do.
    """

    exit_status = 2

    def __init__(self, key: str, value: object, allowed: str) -> None:
        self.key = key
        self.value = value
        self.allowed = allowed
        # Masked before it is cut: half an address would not look like one.
        shown = mask_value(key, value)
        given = "" if self._has_no_value else f"={_short(shown)}"
        super().__init__(f"{key}{given}: {allowed}")

    def __reduce__(self) -> tuple[type[BadInput], tuple[str, object, str]]:
        """Return the parts to be pickled, without secrets: a job elsewhere sends it in a file."""
        return type(self), (self.key, mask_value(self.key, self.value), self.allowed)

    @property
    def _has_no_value(self) -> bool:
        return self.value == "" and self.key[:1] in "+~-"

    @property
    def refused(self) -> tuple[str, object]:
        """The key, and its value without secrets; None where there is none, as of `+compare`."""
        return self.key, None if self._has_no_value else mask_value(self.key, self.value)

    def in_section(self, section: str) -> BadInput:
        """Return the same error for the key inside a config section."""
        return BadInput(f"{section}.{self.key}", self.value, self.allowed)


class WorkEnded(BaseException):
    """Ends work on purpose, such as at a signal: no failure, whatever code it passes through.

    It is no `Exception`, so that no library swallows it.
    """


class CommandFailed(Exception):
    """Carries an error of a command through Hydra, to tell it from errors of the composition."""


class CommandExit(Exception):
    """End a command that did its work and printed everything, but has another status than 0.

    Args:
        exit_status: what the process ends with.
    """

    def __init__(self, exit_status: int) -> None:
        self.exit_status = exit_status
        super().__init__(f"exit status {exit_status}")


class StorageFailed(GdexpError):
    """A database, a server or a disk refused a write."""

    exit_status = 74


class StorageChanged(StorageFailed):
    """The storage was deleted or replaced while it was used: the same command may not continue."""


class StudyInUse(GdexpError):
    """Another process is working on the study."""

    exit_status = 75


def printable(text: str) -> str:
    """Return the text with `?` for each character that is neither printable nor a line break."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def printable_line(text: str) -> str:
    """Return a text as one line, with `?` for line breaks and for what is not printable."""
    return printable(text.replace("\n", "?"))


def code_failed(
    where: str, error: BaseException, key: str = "problem", rules: Sequence[str] = ()
) -> GdexpError:
    """Return the error for an exception from the user's code, with the name of that code.

    Args:
        where: the problem, as it was chosen, or the value of another key.
        error: the exception that its code raised.
        key: of what was chosen.
        rules: the import paths of the update rule and its schedule: they may have raised it.
    """
    if is_out_of_memory(error):
        return GdexpError(f"{key}={where}: there is too little memory for it; make it smaller")
    rule = _innermost(error, [where, *rules])
    named = f"{key}={where}" if rule in (None, where) else f"optimizer={rule}"
    return GdexpError(f"{named}: its code failed: {described_error(error)}")


def _innermost(error: BaseException, paths: Sequence[str]) -> str | None:
    """Return which of the import paths has the module that raised an error, or called what did.

    Of several in one module the first one is returned.
    """
    found, trace = None, error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__")
        found = next((path for path in paths if path.startswith(f"{module}.")), found)
        trace = trace.tb_next
    return found


def described_error(error: BaseException) -> str:
    """Return one line on an error of the user's code: its class and the first line of its text."""
    if isinstance(error, ExitCalled):
        return f"it called {error}"
    lines = error_text(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[0]}"


def error_text(error: BaseException) -> str:
    """Return the text of an error; empty where it has none that can be read."""
    try:
        return str(error)
    except Exception:  # of a class of the user's own
        return ""


@contextmanager
def code_errors(where: str, key: str = "problem", rules: Sequence[str] = ()) -> Iterator[None]:
    """Turn whatever the user's code raises inside the block into one of gdexp's errors.

    That holds for what is no `Exception` too: `SystemExit`, `GeneratorExit`, or a class of the
    user's own. After the block the streams are as before it. No block that yields may stand
    inside: its end is a `GeneratorExit`.

    Args:
        where: the problem, as it was chosen, or the value of another key.
        key: of what was chosen.
        rules: the import paths of the update rule and its schedule, which run inside too.
    """
    try:
        with guarded():
            yield
    except (GdexpError, WorkEnded):
        raise
    except BaseException as error:
        raise code_failed(where, error, key, rules) from error


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a clause that offers the closest valid name, or all names when none is close."""
    valid = sorted(names)
    folded = {known.lower(): known for known in valid}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]}?"
    return "choose from " + ", ".join(valid) if valid else "nothing is allowed here"


def _short(value: object, limit: int = 60) -> str:
    if value is None or isinstance(value, bool):  # as they are typed
        return "null" if value is None else str(value).lower()
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
