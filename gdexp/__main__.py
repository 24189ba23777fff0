"""`python -m gdexp`: one command as a process of its own."""

from __future__ import annotations

import sys

from gdexp.cli import main
from gdexp.core import gc_control


def run_process() -> int:
    """Run one command as a process of its own; returns the exit status."""
    gc_control.put_off()
    try:
        return main()
    finally:
        gc_control.leave()


if __name__ == "__main__":
    sys.exit(run_process())
