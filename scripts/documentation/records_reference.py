"""The pages of what a run holds and of exit statuses, made from the code's own tables."""

from __future__ import annotations

from collections.abc import Mapping

from documentation.markdown import code, escaped, table
from gdexp import Status
from gdexp.cli.exit_statuses import EXIT_STATUSES
from gdexp.tracking.recorded_names import FILES, METRICS, TAGS


def records() -> str:
    """Return the page of metrics, tags and files of a run in MLflow."""
    return "\n".join(
        [
            "# What a run holds\n",
            "A descent is a run of MLflow. A sweep is a parent run, and its trials are nested "
            "runs. The `.npy` files are the record; MLflow's metric history is for looking, "
            "because MLflow replaces infinity by the largest double.\n",
            "## Params\n",
            "The whole config, as keys with dots: `optimizer.lr`, `stopping.threshold`, "
            "`problem.name` and so on. [Config keys](config.md) lists them.\n",
            "## Metrics\n",
            _names("metric", METRICS),
            "## Tags\n",
            _names("tag", TAGS),
            "## Files\n",
            "`manifest.json` names the files that are the record. Pictures are drawn when the "
            "record is complete and are not part of it.\n",
            _names("file", FILES),
            "## Statuses\n",
            "Every descent ends with one of them, in the tag `gdexp.status`.\n",
            _names("status", {str(each): each.explanation for each in Status}),
        ]
    )


def exit_statuses() -> str:
    """Return the page of exit statuses."""
    return "\n".join(
        [
            "# Exit statuses and errors\n",
            _names("exit status", EXIT_STATUSES),
            "An error is one line on stderr with the key, the value and what is allowed. With "
            "`GDEXP_DEBUG=1` in the environment the traceback follows.\n",
            "```text\n$ python -m gdexp optimizer.lrr=1\n"
            "gdexp: error: optimizer.lrr=1: unknown key; did you mean optimizer.lr?\n```\n",
        ]
    )


def _names(kind: str, meanings: Mapping[str, str]) -> str:
    return table((kind, "meaning"), [[code(n), escaped(text)] for n, text in meanings.items()])
