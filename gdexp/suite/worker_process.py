"""The program of a process that does cells of a benchmark. Its driver starts it; users do not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from gdexp.core import gc_control, obey


def run(order: dict[str, Any]) -> None:
    """Do the cells of the order."""
    import torch

    from gdexp.config import construct
    from gdexp.suite.cells import Cell
    from gdexp.suite.folder import Folder
    from gdexp.suite.settings import BenchmarkSettings
    from gdexp.suite.work import Work

    torch.set_num_threads(1)
    gc_control.begin()
    made = construct("benchmark", BenchmarkSettings, order["settings"])
    work = Work(made, order["seed"], Folder(Path(order["folder"])))
    work.do(order["part"], [Cell(*cell) for cell in order["cells"]])


if __name__ == "__main__":
    status = obey(run)
    gc_control.skip_last_collection()
    sys.exit(status)
