"""What a command meets on its way: a signal at a certain write, a full disk, missing rights.

These are called in the child that runs the command, before it (`ForkServer.start(before=…)`).
"""

from __future__ import annotations

import ctypes
import functools
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.support.shortcuts import small_pictures

HERE = "tests.integration.conditions"
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
CHANGES = {"open", "os.rename", "os.remove", "os.truncate", "os.link"}
"""Audit events of Python that change what is on disk."""

EXTRAS = (".png", ".webp", ".csv", ".diff")
STORAGES = {
    "gdexp.sweeps.study.journal_file",
    "gdexp.sweeps.study.journal_storage",
    "gdexp.sweeps.study.study_storage",
}

LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


def quick() -> None:
    """Draw pictures of a few points only: what is tested here is not in them."""
    for owner, name, stand_in in small_pictures():
        setattr(owner, name, stand_in)


def full(name: str, count: int = 1, room: int = 10) -> None:
    """Let the disk be full for a file: it grows by a few bytes and then no more.

    Args:
        name: that the file's name ends with.
        count: at the so-manieth time that such a file is opened for writing, and from then on.
        room: bytes that there are left.
    """
    from sqlalchemy import Engine, event

    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    opened = 0

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))

    def audited(event: str, args: tuple[Any, ...]) -> None:
        nonlocal opened
        if event != "open" or not _writes(args[2]):
            return
        path = str(args[0])
        if path.endswith(name):
            opened += 1
        wanted = path.endswith(name) and opened >= count
        limit((os.path.getsize(path) if os.path.exists(path) else 0) + room if wanted else most)

    @event.listens_for(Engine, "do_connect")
    @event.listens_for(Engine, "begin")
    def unlimited(*_: object) -> None:
        limit(most)

    _opened_by_sqlite(lambda connection: connection.set_trace_callback(unlimited))

    sys.addaudithook(audited)


def full_database(path: str, room: int) -> None:
    """Let no file grow beyond the size of a database and some room."""
    size = os.path.getsize(path) + room
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def locked_at(place: str, seconds: float, patience_ms: int) -> None:
    """Have another process lock the database here before a call.

    Args:
        place: `module:Class.method`.
        seconds: that it keeps the lock.
        patience_ms: that gdexp waits for it.
    """
    from gdexp.tracking import database_connection, sqlite_pool

    database_connection.BUSY_MS = sqlite_pool.BUSY_MS = patience_ms
    taken = False

    def lock() -> None:
        nonlocal taken
        if taken:
            return
        taken = True
        process = subprocess.Popen(
            [sys.executable, "-c", LOCK, "mlflow.db", str(seconds)], stdout=subprocess.PIPE
        )
        if process.stdout is not None:
            with process.stdout:
                process.stdout.readline()
        process.returncode = 0  # it ends by itself, and Python need not warn of it

    _before(place, lock)


def environment_of(given: dict[str, str]) -> None:
    """Set environment variables."""
    os.environ.update(given)


def bound_by_modes() -> None:
    """Have file modes hold for root as well, as they do for anybody else."""
    if os.getuid():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, low and high words
    if libc.capget(header, sets):
        raise OSError(ctypes.get_errno(), "capget")
    for low in range(3):
        sets[low] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")


def signalled(place: str, count: int, number: int, seconds: float = 0) -> None:
    """Have a signal come at a call.

    Args:
        place: `module:Class.method` or `module:function`.
        count: at the so-manieth call.
        number: of the signal.
        seconds: that the call takes after it, as one that waits for a disk does.
    """
    calls = 0

    def send() -> None:
        nonlocal calls
        calls += 1
        if calls == count:
            os.kill(os.getpid(), number)
            time.sleep(seconds)

    _before(place, send)


def signalled_meanwhile(place: str, count: int, number: int, seconds: float) -> None:
    """Have a signal come some time after a call, whatever the command does then.

    Args:
        place: `module:Class.method` or `module:function`.
        count: after the so-manieth call.
        number: of the signal.
        seconds: after the call.
    """
    calls = 0

    def send() -> None:
        nonlocal calls
        calls += 1
        if calls == count:
            threading.Timer(seconds, os.kill, (os.getpid(), number)).start()

    _before(place, send)


def shown_at_once(rows: int) -> None:
    """Have runs shown as soon as their descents begin, and traces written in small parts."""
    from gdexp.sweeps.worker import watch
    from gdexp.tracking import sql_writer

    watch.SHOW_AFTER_SECONDS = 0.0
    sql_writer.ROWS = rows


def killed_where_none_was(path: str) -> None:
    """End by SIGKILL between two changes on disk, at the first two where no command ended yet.

    Args:
        path: of a file with the pairs of changes where one ended, a line each.
    """
    known = set(Path(path).read_text().splitlines()) if Path(path).exists() else set()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    last = "start"

    def look(change: str) -> None:
        nonlocal last
        last, pair = change, f"{last} -> {change}"
        if pair not in known:
            os.write(handle, f"{pair}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    _watch(look)


def all_of(*conditions: tuple[str, list[Any]]) -> None:
    """Several conditions together."""
    for name, given in conditions:
        globals()[name](*given)


def _before(place: str, do: Callable[[], None]) -> None:
    """Do something before every call of a function or method."""
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *owners, name = path.split(".")
    for each in owners:
        owner = getattr(owner, each)
    real: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(real)
    def doing(*args: Any, **kwargs: Any) -> Any:
        do()
        return real(*args, **kwargs)

    setattr(owner, name, doing)


def _watch(see: Callable[[str], None]) -> None:
    """Call `see` just before every change below the current directory, with its name.

    That is a file opened for writing, with who writes to the journal; a file removed or renamed;
    a transaction committed, with the tables that it changed.
    """
    from sqlalchemy import Engine, event

    here = f"{Path.cwd()}/"
    tables: list[str] = []

    def audited(name: str, args: tuple[Any, ...]) -> None:
        if name not in CHANGES or (name == "open" and not _writes(args[2])):
            return
        if not isinstance(args[0], str | Path) or not str(Path(args[0]).absolute()).startswith(
            here
        ):
            return
        if name == "os.remove" and args[1] != -1:
            return  # by a name in an open folder: of a temporary one
        plain = _plain(Path(args[0]).name)
        if plain:
            see(f"{name.removeprefix('os.')} {plain}")

    def statement(words: str, alone: bool = False) -> None:
        verb, *others = words.split(None, 3)
        if verb in ("INSERT", "UPDATE", "DELETE"):
            tables.append(others[0] if verb == "UPDATE" else others[1])
        if tables and (verb == "COMMIT" or alone):
            see(f"commit {', '.join(dict.fromkeys(tables))}")
            tables.clear()

    @event.listens_for(Engine, "before_cursor_execute")
    def executed(connection: object, cursor: object, words: str, *_: object) -> None:
        statement(words)

    @event.listens_for(Engine, "commit")
    def committed(connection: object) -> None:
        statement("COMMIT")

    def traced(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(lambda words: statement(words, not connection.in_transaction))

    _opened_by_sqlite(traced)
    sys.addaudithook(audited)


def _opened_by_sqlite(do: Callable[[sqlite3.Connection], object]) -> None:
    """Call a function with each connection that the fast writer opens to a SQLite file."""
    from gdexp.tracking.sqlite_pool import SqlitePool

    real = SqlitePool._open

    def opened(self: SqlitePool) -> sqlite3.Connection:
        connection = real(self)
        do(connection)
        return connection

    SqlitePool._open = opened  # type: ignore[method-assign]


def _writes(flags: object) -> bool:
    return isinstance(flags, int) and bool(flags & WRITING)


def _plain(name: str) -> str:
    """A file's name without what differs from one time to the next; nothing where it is a lock."""
    if ".lock" in name or name.endswith(".held"):
        return ""
    if name.endswith(".journal"):
        return f"{name} in {_writer()}"
    return "an extra" if name.endswith(EXTRAS) else name


def _writer() -> str:
    """The function of the sweep that has the journal written to."""
    frame = sys._getframe()
    while frame.f_back is not None:
        module = str(frame.f_globals.get("__name__"))
        if module.startswith("gdexp.sweeps.") and module not in STORAGES:
            return frame.f_code.co_name
        frame = frame.f_back
    return "nobody"
