"""The program of a worker process on this machine. The driver starts it; users do not.

The worker reads its config from standard input, where no other user can see it. When that input
ends, the driver has ended, and the worker ends too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback

from gdexp.core import GdexpError, Interrupted, Process, context_thread, gc_control, mask_secrets


def main() -> int:
    """Run a worker until the study is complete; return the exit status."""
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
            if os.environ.get("GDEXP_DEBUG") == "1":
                print(mask_secrets(traceback.format_exc()), end="", file=sys.stderr)
            print(mask_secrets(f"{type(error).__name__}: {error}"), file=sys.stderr)
            return 1
    return 0


def _run(order: dict[str, object]) -> None:
    import torch

    from gdexp.sweeps.study import StartedBy
    from gdexp.sweeps.worker import run_worker

    threads, config = order["threads"], order["config"]
    if isinstance(threads, int):
        torch.set_num_threads(threads)
    gc_control.begin()
    if isinstance(config, dict):
        run_worker(config, StartedBy.DRIVER)


def _end_with_driver() -> None:
    """Send this process SIGTERM when the driver ends."""
    while sys.stdin.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    status = main()
    gc_control.skip_last_collection()
    sys.exit(status)
