"""The program of a process that does cells of a benchmark. Its driver starts it; users do not.

It reads its order from standard input. When that input ends, the driver has ended, and it ends too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from gdexp.core import GdexpError, Interrupted, Process, context_thread, gc_control, mask_secrets


def main() -> int:
    """Do the cells of the order; return the exit status."""
    process = Process()
    process.garbage.postpone()
    order = json.loads(sys.stdin.readline())
    with process.current(), process.running():
        try:
            context_thread(_end_with_driver, "gdexp-driver").start()
            _run(order)
        except Interrupted as interrupted:
            return interrupted.exit_status
        except GdexpError as error:
            print(error, file=sys.stderr)
            return error.exit_status
        except Exception as error:
            print(mask_secrets(f"{type(error).__name__}: {error}"), file=sys.stderr)
            return 1
    return 0


def _run(order: dict[str, object]) -> None:
    import torch

    from gdexp.config import construct
    from gdexp.suite.cells import Cell
    from gdexp.suite.folder import Folder
    from gdexp.suite.settings import BenchmarkSettings
    from gdexp.suite.work import Work

    torch.set_num_threads(1)
    gc_control.begin()
    settings, seed, cells = order["settings"], order["seed"], order["cells"]
    assert isinstance(settings, dict)
    assert isinstance(seed, int)
    assert isinstance(cells, list)
    made = construct("benchmark", BenchmarkSettings, settings)
    work = Work(made, seed, Folder(Path(str(order["folder"]))))
    work.do(str(order["part"]), [Cell(*cell) for cell in cells])


def _end_with_driver() -> None:
    """Send this process SIGTERM when the driver ends."""
    while sys.stdin.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    status = main()
    gc_control.skip_last_collection()
    sys.exit(status)
