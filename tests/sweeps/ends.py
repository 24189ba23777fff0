"""Sweeps that end in the middle, each at a point of its own."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.support.commands import start

STORAGE = "gdexp.sweeps.study.journal_storage:JournalStudyStorage"

POINTS = {
    "study changed": ("gdexp.sweeps.study.journal_file:Journal", "append_logs", "before"),
    "sweep's run shown": ("gdexp.tracking.store:Store", "show", "after"),
    "asked": ("optuna:Study", "ask", "after"),
    "created together": (STORAGE, "create_trials", "after"),
    "recorded in the study": (STORAGE, "set_attributes", "after"),
    "files written": ("gdexp.tracking.sql_writer:SqlWriter", "log_files", "after"),
    "rows written": ("gdexp.tracking.sql_writer:SqlWriter", "_insert", "after"),
    "runs written": ("gdexp.tracking.store:Store", "write", "after"),
    "rows not appended": ("gdexp.tracking.row_file:RowFile", "append", "before"),
    "rows appended": ("gdexp.tracking.row_file:RowFile", "append", "after"),
    "shard unnamed": ("gdexp.tracking.shard_folder:ShardFolder", "_write", "before"),
    "shard written": ("gdexp.tracking.shard_folder:ShardFolder", "_write", "after"),
    "shards joined": ("gdexp.tracking.shard_folder:ShardFolder", "_join", "after"),
    "before telling": (STORAGE, "end_trials", "before"),
    "told": (STORAGE, "end_trials", "after"),
    "answers worked out": ("gdexp.tracking.store:Store", "finish", "before"),
}
"""Where a sweep can be ended: what is called there, and which side of the call is meant."""


@dataclass(frozen=True)
class Order:
    """A command to be run, and where it is to be ended.

    Attributes:
        folder: to run it in; made when it is not there.
        line: what a user types after `python -m gdexp`.
        point: one of `POINTS`; empty: it runs to its end.
        count: at the so-manieth time that this point is reached.
        signal: that it sends to itself there.
    """

    folder: str
    line: Sequence[str]
    point: str = ""
    count: int = 1
    signal: int = 9


def carry_out(orders: Sequence[Order]) -> list[int]:
    """Run each order after the other; what they write is added to `said.txt` in their folders.

    Returns:
        The exit status of each, -N where signal N ended it.
    """
    statuses = []
    for order in orders:
        folder = Path(order.folder)
        folder.mkdir(parents=True, exist_ok=True)
        end = [order.point, order.count, order.signal]
        before = "tests.sweeps.ends:arm" if order.point else ""
        done = start(*order.line, cwd=folder, before=before, given=end).wait()
        with (folder / "said.txt").open("a") as said:
            said.write(done.out + done.err)
        statuses.append(done.status)
    return statuses


def arm(point: str, count: int, number: int) -> None:
    """Have a signal sent at a point, at the so-manieth time that it is reached."""
    place, name, side = POINTS[point]
    module, _, owner_name = place.partition(":")
    owner = getattr(import_module(module), owner_name)
    real: Callable[..., Any] = getattr(owner, name)
    reached = 0

    @functools.wraps(real)
    def armed(*args: Any, **kwargs: Any) -> Any:
        nonlocal reached
        reached += 1
        if side == "before" and reached == count:
            os.kill(os.getpid(), number)
        result = real(*args, **kwargs)
        if side == "after" and reached == count:
            os.kill(os.getpid(), number)
        return result

    setattr(owner, name, armed)
