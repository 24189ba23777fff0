"""Saved chart views of MLflow's experiment page: one for each sweep, one for the single runs.

The page draws ten runs, on linear axes, and folds children into their parent, so a sweep shows
no curve. A saved view sets all of that. MLflow keeps one as an experiment tag in a format that
it does not document (read from 3.17): an envelope of name, times and the page's state, the
state being JSON again. Fields that are left out take the page's defaults.

Only its line charts have log axes. Elsewhere the views draw the powers of ten that
`looks.chart_metrics` adds to each run. Section names say what the cards show, because the page
shows no titles of our own. It draws what is in sight, so what costs most stands apart: a curve of
each of a hundred runs takes seconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from gdexp.tracking.mlflow_ui.run_display import LOG_SCALE

TAG_PREFIX = "mlflow.sharedViewState."
MAX_VALUE = 20_000
"""Most characters that MLflow takes as an experiment tag's value."""

MAX_AXES = 12
"""Swept keys in the parallel coordinates: more cannot be read, and would outgrow the tag."""

RUNS_KEY = "gdexp-runs"
"""The short name in links of the view of the experiment's single runs."""

PICTURE = "final x"
"""The image key under which a run logs its final tensor beside the target."""

SINGLE_RUNS = "tags.`gdexp.kind` LIKE '%run'"
"""Runs and reruns; not sweeps, which have no curve, nor trials, which have a view of their own."""

_WORKFLOW = "workflowType=machine_learning"
"""Without it a page opens among MLflow's tools for language models, and may lack the view."""

_LR = "optimizer.lr"
_LOSSES, _RATES, _SPACE = "gdexp-losses", "gdexp-rates", "gdexp-space"
_LATER, _FINAL = "gdexp-later", "gdexp-final"
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


def view_state(
    parent: str,
    swept: Sequence[str],
    name: str,
    created: int,
    log: Collection[str] = (),
    losses: tuple[float, float] | None = None,
) -> str:
    """The value of the tag: every descent's loss curve and what the swept keys do to it.

    Args:
        parent: run id of the sweep.
        swept: config keys that the trials change.
        name: what the page's list of views calls it.
        created: milliseconds since 1970; the list shows the latest first.
        log: those of `swept` for which the trials have `looks.chart_metrics`.
        losses: the smallest and the largest loss to draw, both positive; None: all of them,
            and then one diverged trial squeezes the other curves together.
    """
    shown = list(swept[:MAX_AXES])
    cards = [
        _loss("loss", _LOSSES, "linear", losses),
        *_by_learning_rate(shown, log),
        *_space(shown, log),
        _loss("loss-log", _LATER, "log", losses),
        *_final(),
    ]
    state = _state(
        f"tags.mlflow.parentRunId = '{parent}'",
        # Any order but one by date lists children by themselves. The page loads a hundred runs
        # at first, so the best come first; by iterations, an early divergence would be among them.
        "metrics.`hitting_time`",
        ascending=True,
        columns=[f"params.`{key}`" for key in shown],
        cards=cards,
    )
    return _envelope(name, created, state)


def children_link(experiment_id: str, parent: str) -> str:
    """What follows `#` in the address of the sweep's charts.

    Args:
        experiment_id: the MLflow experiment.
        parent: run id of the sweep.
    """
    return _link(experiment_id, view_key(parent))


def runs_view_tag() -> str:
    """The experiment tag that holds the view of the single runs."""
    return TAG_PREFIX + RUNS_KEY


def runs_view_state(name: str, created: int) -> str:
    """The value of that tag: loss curves and final tensors of the runs, newest first.

    Args:
        name: what the page's list of views calls it.
        created: milliseconds since 1970.
    """
    cards = [
        _loss("loss", _LOSSES, "linear", None),
        *_final(),
        *_by_learning_rate([_LR], [_LR]),
        _loss("loss-log", _LATER, "log", None),
    ]
    columns = [f"params.`{key}`" for key in ("problem.name", "optimizer.name", _LR)]
    state = _state(
        SINGLE_RUNS, "attributes.start_time", ascending=False, columns=columns, cards=cards
    )
    return _envelope(name, created, state)


def runs_link(experiment_id: str) -> str:
    """What follows `#` in the address of the single runs' charts."""
    return _link(experiment_id, RUNS_KEY)


def run_link(experiment_id: str, run_id: str) -> str:
    """What follows `#` in the address of a run's page."""
    page = f"/experiments/{quote(experiment_id, safe='')}/runs/{quote(run_id, safe='')}"
    return f"{page}?{_WORKFLOW}"


def loss_link(experiment_id: str, run_id: str) -> str:
    """What follows `#` in the address of one run's loss on a log axis, by iteration."""
    query = {
        "runs": json.dumps([run_id]),
        "metric": json.dumps("loss"),
        "experiments": json.dumps([experiment_id]),
        "plot_metric_keys": json.dumps(["loss"]),
        "plot_layout": "{}",
        "x_axis": "step",
        "y_axis_scale": "log",
        "line_smoothness": "0",
        "show_point": "false",
    }
    return f"/metric?{urlencode(query, quote_via=quote)}&{_WORKFLOW}"


def compare_link(experiment_id: str, runs: Sequence[str]) -> str:
    """What follows `#` in the address of the page that compares runs."""
    query = {"runs": json.dumps(list(runs)), "experiments": json.dumps([experiment_id])}
    return f"/compare-runs?{urlencode(query, quote_via=quote)}&{_WORKFLOW}"


def _link(experiment_id: str, key: str) -> str:
    """The charts with a saved view.

    It must not name a filter or an order: the page ignores the view of an address that does.
    """
    place = f"/experiments/{quote(experiment_id, safe='')}/runs"
    return f"{place}?compareRunsMode=CHART&{_WORKFLOW}&viewStateShareKey={key}"


def _state(
    runs: str, order: str, ascending: bool, columns: list[str], cards: list[dict[str, Any]]
) -> dict[str, Any]:
    sections = [
        _section(_LOSSES, "Loss by iteration", columns=1),
        _section(_RATES, "Iterations, smallest and largest loss", columns=3, cardHeight=320),
        _section(_SPACE, "Swept keys and hitting time", columns=2),
        _section(_LATER, "Loss by iteration, both scales logarithmic", columns=1),
        _section(_FINAL, "Final tensor and differences", columns=2, cardHeight=420),
    ]
    order_of_sections = list(dict.fromkeys(card["metricSectionId"] for card in cards))
    used = [section for section in sections if section["uuid"] in order_of_sections]
    used.sort(key=lambda section: order_of_sections.index(section["uuid"]))
    return {
        "searchFilter": runs,
        "orderByKey": order,
        "orderByAsc": ascending,
        "runsHiddenMode": "SHOW_ALL",
        "selectedColumns": [
            *columns,
            *(f"metrics.`{key}`" for key in ("iterations", "min_loss", "max_loss")),
            "tags.`gdexp.status`",
        ],
        "compareRunCharts": cards,
        "compareRunSections": [
            *used,
            # MLflow adds a bar chart for each metric that has none, in the section that the
            # metric's name begins with; these stay folded.
            _section("gdexp-log10", LOG_SCALE.removesuffix("/"), display=False),
            _section("gdexp-metrics", "Model metrics", display=False),
            _section("gdexp-system", "System metrics", display=False),
        ],
        "isAccordionReordered": True,
    }


def _envelope(name: str, created: int, state: dict[str, Any]) -> str:
    envelope = {
        "name": name,
        "createdAt": created,
        "updatedAt": created,
        "state": json.dumps(state, separators=(",", ":")),
    }
    return json.dumps(envelope, separators=(",", ":"))


def _loss(
    name: str, section: str, steps: str, losses: tuple[float, float] | None
) -> dict[str, Any]:
    """Loss by step on a log axis; `steps` is the scale of the other axis."""
    card = _card(
        name,
        section,
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
    if losses is not None:
        low, high = losses
        card["range"] = {"yMin": math.log10(low), "yMax": math.log10(high)}
    return card


def _by_learning_rate(swept: list[str], log: Collection[str]) -> list[dict[str, Any]]:
    """Iterations and extreme losses over the learning rate, or over the first swept key.

    The extremes stand here because the curves above are samples, which can miss them.
    """
    if not swept:
        return []
    across = _LR if _LR in swept else swept[0]
    return [
        _card(
            name,
            _RATES,
            "SCATTER",
            xaxis=_swept(across, log),
            yaxis=_metric(LOG_SCALE + name if log else name),
            runsCountToCompare=1000,
        )
        for name in ("iterations", "min_loss", "max_loss")
    ]


def _space(swept: list[str], log: Collection[str]) -> list[dict[str, Any]]:
    """Parallel coordinates of all swept keys, and the first two as a map."""
    if not swept:
        return []
    hitting_time = LOG_SCALE + "hitting_time" if log else "hitting_time"
    cards = [
        _card(
            "space",
            _SPACE,
            "PARALLEL",
            selectedParams=[key for key in swept if key not in log],
            # The last axis gives the lines their colour.
            selectedMetrics=[*(LOG_SCALE + key for key in swept if key in log), hitting_time],
            showAllRuns=True,
        )
    ]
    if len(swept) > 1:
        x, y = (_swept(key, log) for key in swept[:2])
        cards.append(_card("map", _SPACE, "CONTOUR", xaxis=x, yaxis=y, zaxis=_metric(hitting_time)))
    return cards


def _final() -> list[dict[str, Any]]:
    """The final tensors of the runs that have a picture, and a table of what differs."""
    return [
        _card("final", _FINAL, "IMAGE", imageKeys=[PICTURE], step=0, showRunParams=False),
        _card(
            "differences",
            _FINAL,
            "DIFFERENCE",
            compareGroups=["Model metrics", "Parameters"],
            chartName="Differences",
            showChangeFromBaseline=False,  # to two digits, which makes small losses 0.00
            showDifferencesOnly=True,
            baselineColumnUuid="",
        ),
    ]


def _swept(key: str, log: Collection[str]) -> dict[str, str]:
    """An axis of a swept key."""
    return _metric(LOG_SCALE + key) if key in log else {"key": key, "type": "PARAM"}


def _metric(key: str) -> dict[str, str]:
    return {"key": key, "type": "METRIC"}


def _card(name: str, section: str, kind: str, **settings: object) -> dict[str, Any]:
    return {
        "uuid": f"gdexp-{name}",
        "type": kind,
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
        **settings,
    }


def _section(uuid: str, name: str, display: bool = True, **settings: object) -> dict[str, Any]:
    return {"uuid": uuid, "name": name, "display": display, "isReordered": False, **settings}
