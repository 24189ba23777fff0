"""The command line: one file per command, and `main`, which chooses among them."""

from gdexp.cli.main import main

__all__ = ["main"]
