"""What belongs to a process that runs a command: its signals, secrets, folder, garbage, closing.

Each entry of a process makes one `Process` and hands it down. The functions that all rooms use
(`signals.check`, `mask_secrets`, `learn_secret`, `command_folder`, `gc_control.begin`, `at_end`)
act on the one that is current. Outside of a command they do the neutral thing.
"""

from __future__ import annotations

import logging
import signal
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gdexp.core.closing import Closing
from gdexp.core.gc_control import GarbageCollection
from gdexp.core.learned_secrets import LearnedSecrets
from gdexp.core.paths import keep_folder
from gdexp.core.redaction import mask_secrets
from gdexp.core.signals import Signals


class Process:
    """One command in one process."""

    def __init__(self) -> None:
        self.signals = Signals()
        self.secrets = LearnedSecrets()
        self.garbage = GarbageCollection()
        self.closing = Closing()

    @contextmanager
    def current(self, arguments: Iterable[str] = ()) -> Iterator[None]:
        """Make this the current process: what it learns is masked in messages and in all logs.

        Args:
            arguments: as the user typed them; their secrets are learned, and those of environment
                variables whose names look like secrets.
        """
        self.secrets.learn_from_environment()
        self.secrets.learn_from_arguments(arguments)
        with self.garbage.current(), self.secrets.current(), self._masked_logs():
            yield

    @contextmanager
    def running(
        self, others: tuple[signal.Signals, ...] = (), patient: bool = False
    ) -> Iterator[None]:
        """Raise `Interrupted` at a signal, and keep the current directory as the command's folder.

        What the command opened is closed at the end, whatever ends it.

        Args:
            others: signals to handle beside INT, TERM and HUP.
            patient: whether a second signal changes nothing; else it ends the process at once.
        """
        with (
            self.signals.raising(others, patient),
            keep_folder(Path.cwd()),
            self.closing.current(),
        ):
            yield

    @contextmanager
    def _masked_logs(self) -> Iterator[None]:
        """Mask what any library logs, in any thread: the records are made with these secrets."""
        factory, secrets = logging.getLogRecordFactory(), self.secrets

        def make(*args: object, **kwargs: object) -> logging.LogRecord:
            return _masked(factory(*args, **kwargs), secrets)

        logging.setLogRecordFactory(make)
        try:
            yield
        finally:
            logging.setLogRecordFactory(factory)


def _masked(record: logging.LogRecord, secrets: LearnedSecrets) -> logging.LogRecord:
    """Return a log record that may be printed or written."""
    try:
        record.msg, record.args = mask_secrets(record.getMessage(), secrets), ()
    except (TypeError, ValueError, KeyError):  # its own handler will say what is wrong with it
        return record
    if record.exc_info and record.exc_info[0] is not None:
        text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
        record.exc_text = mask_secrets(text, secrets)
    return record
