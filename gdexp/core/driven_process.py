"""A process that a driver starts to work for it, such as a worker on this machine.

It reads its order from standard input, where no other user can see it. When that input ends, the
driver has ended, and the process ends too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from gdexp.core import streams
from gdexp.core.contexts import context_thread
from gdexp.core.errors import GdexpError
from gdexp.core.process import Process
from gdexp.core.redaction import mask_secrets
from gdexp.core.signals import Interrupted


def obey(run: Callable[[dict[str, Any]], None]) -> int:
    """Read an order and carry it out; return the exit status.

    Args:
        run: carries out the order. It calls `gc_control.begin` after its large imports.
    """
    process = Process()
    process.garbage.postpone()
    order = json.loads(sys.stdin.readline())
    with streams.current(), process.current(), process.running():
        try:
            context_thread(_end_with_driver, "gdexp-driver").start()
            run(order)
        except Interrupted as interrupted:
            return interrupted.exit_status
        except GdexpError as error:
            print(error, file=streams.own_stream("stderr"))
            return error.exit_status
        except Exception as error:
            stderr = streams.own_stream("stderr")
            if os.environ.get("GDEXP_DEBUG") == "1":
                print(mask_secrets(traceback.format_exc()), end="", file=stderr)
            print(mask_secrets(f"{type(error).__name__}: {error}"), file=stderr)
            return 1
    return 0


def _end_with_driver() -> None:
    """Send this process SIGTERM when the driver ends."""
    while sys.stdin.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
