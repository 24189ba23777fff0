"""The command line: one file per command, and `main`, which chooses among them.

What a call from Python uses is loaded on first use: each command imports what it needs alone.
"""

from typing import TYPE_CHECKING

from gdexp.cli.main import main
from gdexp.core import lazy_names

if TYPE_CHECKING:
    from gdexp.cli.rerun import RerunSettings as RerunSettings
    from gdexp.cli.rerun import make_again as make_again
    from gdexp.cli.run import run_config as run_config

__all__ = ["RerunSettings", "main", "make_again", "run_config"]

__getattr__ = lazy_names(
    __name__, {"RerunSettings": "rerun", "make_again": "rerun", "run_config": "run"}
)
