"""The program of a worker process on this machine. The driver starts it; users do not."""

from __future__ import annotations

import sys
from typing import Any

from gdexp.core import gc_control, obey


def run(order: dict[str, Any]) -> None:
    """Run a worker until the study is complete."""
    import torch

    from gdexp.sweeps.study import StartedBy
    from gdexp.sweeps.worker import run_worker

    threads, config = order["threads"], order["config"]
    if isinstance(threads, int):
        torch.set_num_threads(threads)
    gc_control.begin()
    if isinstance(config, dict):
        run_worker(config, StartedBy.DRIVER)


if __name__ == "__main__":
    status = obey(run)
    gc_control.skip_last_collection()
    sys.exit(status)
