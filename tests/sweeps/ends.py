"""Sweeps that end in the middle, each in a process of its own, forked from one that is ready.

As a program it reads orders from its input and carries them out one after the other. It has
imported everything before it forks, which saves some seconds for each of them.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.support.commands import environment

POINTS = {
    "study changed": ("optuna.storages:JournalStorage", "_write_log", "before"),
    "sweep's run shown": ("gdexp.tracking.store:Store", "show", "after"),
    "asked": ("optuna:Study", "ask", "after"),
    "recorded in the study": ("optuna.trial:Trial", "set_user_attr", "after"),
    "files written": ("gdexp.tracking.sql_writer:ByTables", "log_files", "after"),
    "rows written": ("gdexp.tracking.sql_writer:ByTables", "_bulk", "after"),
    "runs written": ("gdexp.tracking.store:Store", "write", "after"),
    "shard unnamed": ("gdexp.tracking.parquet_folder:ShardFolder", "_write", "before"),
    "shard written": ("gdexp.tracking.parquet_folder:ShardFolder", "_write", "after"),
    "shards joined": ("gdexp.tracking.parquet_folder:ShardFolder", "_join", "after"),
    "before telling": ("optuna:Study", "tell", "before"),
    "told": ("optuna:Study", "tell", "after"),
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
    """The exit status of each order, -N where signal N ended it. Words go to `said.txt`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.sweeps.ends"],
        cwd=Path(__file__).parents[2],
        env=environment(),
        input=json.dumps([asdict(order) for order in orders]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [int(each) for each in json.loads(done.stdout)]


def _arm(order: Order) -> None:
    """Have the signal sent at the point of an order."""
    place, name, side = POINTS[order.point]
    module, _, owner_name = place.partition(":")
    owner = getattr(sys.modules[module], owner_name)
    real: Callable[..., Any] = getattr(owner, name)
    reached = 0

    @functools.wraps(real)
    def armed(*args: Any, **kwargs: Any) -> Any:
        nonlocal reached
        reached += 1
        if side == "before" and reached == order.count:
            os.kill(os.getpid(), order.signal)
        result = real(*args, **kwargs)
        if side == "after" and reached == order.count:
            os.kill(os.getpid(), order.signal)
        return result

    setattr(owner, name, armed)


def _forked(order: Order) -> int:
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 70
    try:
        from gdexp.cli.main import main

        Path(order.folder).mkdir(parents=True, exist_ok=True)
        os.chdir(order.folder)
        said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        if order.point:
            _arm(order)
        status = main(list(order.line))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    with warnings.catch_warnings():  # of other people's modules
        warnings.simplefilter("ignore")
        for name in (
            *("matplotlib.pyplot", "mlflow.store.tracking.sqlalchemy_store", "optuna.importance"),
            *(
                "sklearn.ensemble",
                "gdexp.comparison",
                "gdexp.sweeps.driver",
                "gdexp.sweeps.worker.worker",
            ),
            "gdexp.tracking.sql_writer",
        ):
            import_module(name)
    print(json.dumps([_forked(Order(**given)) for given in json.load(sys.stdin)]))
