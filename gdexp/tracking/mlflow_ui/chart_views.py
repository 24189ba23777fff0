"""Saved chart views of MLflow's experiment page: one for each sweep, one for the single runs.

The page draws ten runs, on linear axes, and folds children into their parent, so a sweep shows
no curve. A saved view changes all of that. MLflow stores a view as an experiment tag, in a format
that it does not document (taken from 3.17): JSON with the name, the times and the page's state,
which is JSON again. Fields that are left out have the page's defaults.

Only line charts have log axes. The other charts draw the powers of ten that
`run_display.chart_metrics` adds to each run. Section names say what the cards show, because the
page shows no titles of its cards. The page draws only what is in sight, so slow charts have
sections of their own: a hundred curves take seconds.
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
"""Most characters that MLflow takes as the value of an experiment tag."""

MAX_AXES = 12
"""Most swept keys in the parallel coordinates: more cannot be read, nor stored in the tag."""

RUNS_KEY = "gdexp-runs"
"""The key, in links, of the view of the experiment's single runs."""

PICTURE = "final x"
"""The key of the picture with a run's final tensor beside the target."""

SINGLE_RUNS = "tags.`gdexp.kind` LIKE '%run'"
"""Filter for runs and reruns: sweeps have no curve, and trials have a view of their own."""

_WORKFLOW = "workflowType=machine_learning"
"""Without this a page opens among MLflow's tools for language models, perhaps without the view."""

_LR = "optimizer.lr"
_LOSSES, _RATES, _SPACE = "gdexp-losses", "gdexp-rates", "gdexp-space"
_LATER, _FINAL = "gdexp-later", "gdexp-final"
"""Ids of the page's sections; they only have to differ."""


def view_key(parent: str) -> str:
    """Return the key, in links, of a sweep's view; it never changes.

    Args:
        parent: the run id of the sweep.
    """
    return f"gdexp-{parent[:16]}"


def view_tag(parent: str) -> str:
    """Return the experiment tag that holds a sweep's view."""
    return TAG_PREFIX + view_key(parent)


def view_state(
    parent: str,
    swept: Sequence[str],
    name: str,
    created: int,
    log: Collection[str] = (),
    losses: tuple[float, float] | None = None,
    metrics: Sequence[str] = (),
) -> str:
    """Return the value of the tag: all loss curves, and the effect of the swept keys.

    Args:
        parent: the run id of the sweep.
        swept: the config keys that the trials change.
        name: the name in the page's list of views.
        created: milliseconds since 1970; the list shows the latest first.
        log: the keys of `swept` for which the trials have `run_display.chart_metrics`.
        losses: the smallest and the largest loss to draw, both positive. None draws all losses;
            then one diverged trial squeezes the other curves together.
        metrics: further metrics whose curves are shown, before the losses.
    """
    shown = list(swept[:MAX_AXES])
    cards = [
        *map(_readings, metrics),
        _loss("loss", _LOSSES, "linear", losses),
        *_by_learning_rate(shown, log),
        *_space(shown, log),
        _loss("loss-log", _LATER, "log", losses),
        *_final(),
    ]
    state = _state(
        f"tags.mlflow.parentRunId = '{parent}'",
        # Sorted by date, children would be folded into their parent. The page loads a hundred
        # runs at first, so the best come first: by iterations an early divergence would be there.
        "metrics.`hitting_time`",
        ascending=True,
        columns=[f"params.`{key}`" for key in shown],
        cards=cards,
    )
    return _envelope(name, created, state)


def children_link(experiment_id: str, parent: str) -> str:
    """Return the address, after `#`, of the sweep's charts.

    Args:
        experiment_id: the MLflow experiment.
        parent: the run id of the sweep.
    """
    return _link(experiment_id, view_key(parent))


def runs_view_tag() -> str:
    """Return the experiment tag that holds the view of the single runs."""
    return TAG_PREFIX + RUNS_KEY


def runs_view_state(name: str, created: int) -> str:
    """Return the value of that tag: loss curves and final tensors of the runs, newest first.

    Args:
        name: the name in the page's list of views.
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
    """Return the address, after `#`, of the single runs' charts."""
    return _link(experiment_id, RUNS_KEY)


def run_link(experiment_id: str, run_id: str) -> str:
    """Return the address, after `#`, of a run's page."""
    page = f"/experiments/{quote(experiment_id, safe='')}/runs/{quote(run_id, safe='')}"
    return f"{page}?{_WORKFLOW}"


def loss_link(experiment_id: str, run_id: str) -> str:
    """Return the address, after `#`, of one run's loss on a log axis, by iteration."""
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
    """Return the address, after `#`, of the page that compares runs."""
    query = {"runs": json.dumps(list(runs)), "experiments": json.dumps([experiment_id])}
    return f"/compare-runs?{urlencode(query, quote_via=quote)}&{_WORKFLOW}"


def _link(experiment_id: str, key: str) -> str:
    """Return the address of the charts with a saved view.

    It names no filter and no order: with one of them the page ignores the view.
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
            # MLflow adds a bar chart for each metric without a card, in the section named like
            # the first part of the metric; these sections stay folded.
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


def _readings(metric: str) -> dict[str, Any]:
    """Return a card with a metric of trainings by update."""
    return _card(
        f"metric-{metric}",
        _LOSSES,
        "LINE",
        metricKey=metric,
        selectedMetricKeys=[metric],
        xAxisKey="step",
        xAxisScaleType="linear",
        scaleType="linear",
        lineSmoothness=0,
        displayPoints=False,
    )


def _loss(
    name: str, section: str, steps: str, losses: tuple[float, float] | None
) -> dict[str, Any]:
    """Return a card with the loss on a log axis; `steps` is the scale of the other axis."""
    card = _card(
        name,
        section,
        "LINE",
        metricKey="loss",
        selectedMetricKeys=["loss"],
        xAxisKey="step",
        xAxisScaleType=steps,
        scaleType="log",
        # The default, 70, draws another curve than the recorded one.
        lineSmoothness=0,
        displayPoints=False,
    )
    if losses is not None:
        low, high = losses
        card["range"] = {"yMin": math.log10(low), "yMax": math.log10(high)}
    return card


def _by_learning_rate(swept: list[str], log: Collection[str]) -> list[dict[str, Any]]:
    """Return cards of iterations and extreme losses by learning rate, or by the first swept key.

    The curves above are samples and can miss the extremes.
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
    """Return parallel coordinates of all swept keys, and a map of the first two."""
    if not swept:
        return []
    hitting_time = LOG_SCALE + "hitting_time" if log else "hitting_time"
    cards = [
        _card(
            "space",
            _SPACE,
            "PARALLEL",
            selectedParams=[key for key in swept if key not in log],
            # The last axis colours the lines.
            selectedMetrics=[*(LOG_SCALE + key for key in swept if key in log), hitting_time],
            showAllRuns=True,
        )
    ]
    if len(swept) > 1:
        x, y = (_swept(key, log) for key in swept[:2])
        cards.append(_card("map", _SPACE, "CONTOUR", xaxis=x, yaxis=y, zaxis=_metric(hitting_time)))
    return cards


def _final() -> list[dict[str, Any]]:
    """Return cards with pictures of the final tensors and a table of differences."""
    return [
        _card("final", _FINAL, "IMAGE", imageKeys=[PICTURE], step=0, showRunParams=False),
        _card(
            "differences",
            _FINAL,
            "DIFFERENCE",
            compareGroups=["Model metrics", "Parameters"],
            chartName="Differences",
            showChangeFromBaseline=False,  # it has two digits: small losses would be 0.00
            showDifferencesOnly=True,
            baselineColumnUuid="",
        ),
    ]


def _swept(key: str, log: Collection[str]) -> dict[str, str]:
    """Return the axis of a swept key."""
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
