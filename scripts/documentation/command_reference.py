"""The page of commands, made from `--help` and from `conf/`."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

from documentation.config_reference import experiments, ready_sweeps
from gdexp.cli.help import print_help

SCRIPTS = """\
## Scripts

Each script makes `.venv` when it is missing. They work in the folder where you call them.

| script | does |
| --- | --- |
| `scripts/run …` | the same as `python -m gdexp …` |
| `scripts/ui` | opens MLflow's pages for the runs of this folder |
| `scripts/docs` | builds this site and serves it on this machine |
| `scripts/test` | checks format, lint and types and runs all tests |
| `scripts/bench` | lists and runs the benchmarks |
| `scripts/ray …` | the same as `scripts/run …`, with Ray installed |
"""


def commands() -> str:
    """Return the page: the program's own help, ready sweeps and experiments, and the scripts."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        print_help(())
    return "\n".join(
        [
            "# Commands\n",
            "What `python -m gdexp --help` prints:\n",
            f"```text\n{printed.getvalue().rstrip()}\n```\n",
            "A bare `+name` means `+name=default`. Everything else is plain Hydra: choices, "
            "overrides, `-m`, `--cfg job`, completion in the shell.\n",
            "## Ready sweeps\n",
            ready_sweeps(),
            "## Ready experiments\n",
            experiments(),
            SCRIPTS,
        ]
    )
