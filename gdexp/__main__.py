"""`python -m gdexp`: one command as a process of its own."""

from __future__ import annotations

import sys

from gdexp.cli import main
from gdexp.core import Process, gc_control


def run_process() -> int:
    """Run one command in a process of its own; returns the exit status."""
    process = Process()
    process.garbage.postpone()
    try:
        return main(process=process)
    finally:
        gc_control.skip_last_collection()


if __name__ == "__main__":
    sys.exit(run_process())
