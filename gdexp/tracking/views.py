"""A sweep's children as a saved chart view of MLflow's experiment page.

The page draws ten runs, on linear axes, and folds children into their parent, so a sweep shows
no curve. A saved view sets all of that. MLflow keeps one as an experiment tag in a format that
it does not document (read from 3.17): an envelope of name, times and the page's state, the
state being JSON again. Fields that are left out take the page's defaults.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

TAG_PREFIX = "mlflow.sharedViewState."
MAX_VALUE = 20_000
"""Most characters that MLflow takes as an experiment tag's value."""

MAX_AXES = 12
"""Swept keys in the parallel coordinates: more cannot be read, and would outgrow the tag."""

_SWEEP, _METRICS, _SYSTEM = "gdexp-sweep", "gdexp-metrics", "gdexp-system"
"""Sections of the page, by ids that only have to differ."""


def view_key(parent: str) -> str:
    """The view's short name in links, the same for a sweep whenever it is asked.

    Args:
        parent: run id of the sweep.
    """
    return f"gdexp-{parent[:16]}"


def view_tag(parent: str) -> str:
    """The experiment tag that holds the view."""
    return TAG_PREFIX + view_key(parent)


def view_state(parent: str, swept: Sequence[str], name: str, created: int) -> str:
    """The value of the tag: every descent's loss curve and what the swept keys do to it.

    Args:
        parent: run id of the sweep.
        swept: config keys that the trials change.
        name: what the page's list of views calls it.
        created: milliseconds since 1970; the list shows the latest first.
    """
    state = {
        "searchFilter": f"tags.mlflow.parentRunId = '{parent}'",
        # Any order but one by date lists children by themselves. The page loads a hundred runs
        # at first, so the best come first; by iterations, an early divergence would be among them.
        "orderByKey": "metrics.`hitting_time`",
        "orderByAsc": True,
        "runsHiddenMode": "SHOW_ALL",
        "selectedColumns": [
            *(f"params.`{key}`" for key in swept[:MAX_AXES]),
            "metrics.`iterations`",
            "tags.`gdexp.status`",
        ],
        "compareRunCharts": _cards(list(swept)),
        "compareRunSections": [
            _section(_SWEEP, "Descents", columns=2),
            # MLflow adds a bar chart for each metric that has none; these stay folded.
            _section(_METRICS, "Model metrics", display=False),
            _section(_SYSTEM, "System metrics", display=False),
        ],
        "isAccordionReordered": True,
    }
    envelope = {
        "name": name,
        "createdAt": created,
        "updatedAt": created,
        "state": json.dumps(state, separators=(",", ":")),
    }
    return json.dumps(envelope, separators=(",", ":"))


def children_link(experiment_id: str, parent: str) -> str:
    """What follows `#` in the address of the sweep's charts.

    It must not name a filter or an order: the page ignores the view of an address that does.

    Args:
        experiment_id: the MLflow experiment.
        parent: run id of the sweep.
    """
    query = urlencode(
        {
            "compareRunsMode": "CHART",
            "workflowType": "machine_learning",
            "viewStateShareKey": view_key(parent),
        }
    )
    return f"/experiments/{quote(experiment_id, safe='')}/runs?{query}"


def _cards(swept: list[str]) -> list[dict[str, Any]]:
    """The charts, in the order in which they are shown."""
    cards = [_loss("loss", "linear"), _loss("loss-log", "log")]
    if swept:
        across = "optimizer.lr" if "optimizer.lr" in swept else swept[0]
        cards += [
            _card(
                "iterations",
                "SCATTER",
                xaxis={"key": across, "type": "PARAM"},
                yaxis={"key": "iterations", "type": "METRIC"},
                runsCountToCompare=1000,
            ),
            _card(
                "space",
                "PARALLEL",
                selectedParams=swept[:MAX_AXES],
                selectedMetrics=["hitting_time"],
                showAllRuns=True,
            ),
        ]
    return cards


def _loss(name: str, steps: str) -> dict[str, Any]:
    """Loss by step on a log axis; `steps` is the scale of the other axis."""
    return _card(
        name,
        "LINE",
        metricKey="loss",
        selectedMetricKeys=["loss"],
        xAxisKey="step",
        xAxisScaleType=steps,
        scaleType="log",
        # Left out, it is 70: another curve than the one recorded.
        lineSmoothness=0,
        displayPoints=False,
    )


def _card(name: str, kind: str, **settings: object) -> dict[str, Any]:
    return {
        "uuid": f"gdexp-{name}",
        "type": kind,
        "metricSectionId": _SWEEP,
        "deleted": False,
        "isGenerated": False,
        **settings,
    }


def _section(uuid: str, name: str, display: bool = True, **settings: object) -> dict[str, Any]:
    return {"uuid": uuid, "name": name, "display": display, "isReordered": False, **settings}
