"""Saved chart views of MLflow's experiment page: one for each sweep, one for the single runs.

The page draws ten runs, on linear axes, and folds children into their parent, so a sweep shows
no curve. A saved view changes all of that. MLflow stores a view as an experiment tag, in a format
that it does not document (taken from 3.17): JSON with the name, the times and the page's state,
which is JSON again. Fields that are left out have the page's defaults.

The first section is the first screen of 1440 × 900 pixels: losses, iterations by learning rate,
the fewest iterations to each threshold, the best trial's final tensor. The page draws only what is
in sight, so slow charts have sections of their own: a hundred curves take seconds.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from gdexp.tracking.mlflow_ui import chart_cards
from gdexp.tracking.mlflow_ui.chart_cards import DIFFERS, FIRST, LATER, LR, RATES, SPACE, Card

TAG_PREFIX = "mlflow.sharedViewState."
MAX_VALUE = 20_000
"""Most characters that MLflow takes as the value of an experiment tag."""

FIRST_HEIGHT = 290
"""Height of a card of the first section in pixels: two rows are in sight without scrolling."""

MAX_AXES = 12
"""Most swept keys in the parallel coordinates: more cannot be read, nor stored in the tag."""

RUNS_KEY = "gdexp-runs"
"""The key, in links, of the view of the experiment's single runs."""

PICTURE = "final x"
"""The key of the picture with a run's final tensor beside the target."""

THRESHOLDS = "fewest iterations to each threshold"
"""The key of the picture with a sweep's threshold table; it is the title of its card."""

BEST_FIRST = "hitting_time"
"""The metric by which the trials of a sweep are sorted unless it looks for something else."""

SINGLE_RUNS = "tags.`gdexp.kind` LIKE '%run'"
"""Filter for runs and reruns: sweeps have no curve, and trials have a view of their own."""

_WORKFLOW = "workflowType=machine_learning"
"""Without this a page opens among MLflow's tools for language models, perhaps without the view."""


@dataclass(frozen=True)
class SweepView:
    """What the view of a sweep shows.

    Attributes:
        name: in the page's list of views.
        swept: the config keys that the trials change.
        log: the keys of `swept` for which the trials have `run_display.chart_metrics`.
        losses: the smallest and the largest loss to draw, both positive. None draws all losses;
            then one diverged trial squeezes the other curves together.
        iterations: the last iteration of the linear chart; None draws all. The logarithmic one
            always has all.
        metrics: further metrics whose curves are shown, before the losses.
        pictures: the pictures of the best trial: the place on the card's slider, by key.
        best_first: the metric by which the trials are sorted.
        largest_first: whether the largest is the best.
    """

    name: str
    swept: Sequence[str] = ()
    log: Collection[str] = ()
    losses: tuple[float, float] | None = None
    iterations: float | None = None
    metrics: Sequence[str] = ()
    pictures: Mapping[str, int] = field(default_factory=dict)
    best_first: str = BEST_FIRST
    largest_first: bool = False


def view_key(parent: str) -> str:
    """Return the key, in links, of a sweep's view; it never changes.

    Args:
        parent: the run id of the sweep.
    """
    return f"gdexp-{parent[:16]}"


def view_tag(parent: str) -> str:
    """Return the experiment tag that holds a sweep's view."""
    return TAG_PREFIX + view_key(parent)


def view_state(parent: str, view: SweepView, created: int) -> str:
    """Return the value of the tag.

    Args:
        parent: the run id of the sweep.
        view: what is shown.
        created: milliseconds since 1970; the page's list shows the latest first.
    """
    shown = list(view.swept[:MAX_AXES])
    across = (shown, view.log)
    cards = [
        *map(chart_cards.readings, view.metrics),
        chart_cards.loss("loss", FIRST, "linear", view.losses, view.iterations),
        *chart_cards.by_learning_rate(FIRST, ["iterations"], *across),
        *chart_cards.pictures(FIRST, view.pictures),
        *chart_cards.space(*across),
        *chart_cards.by_learning_rate(RATES, ["min_loss", "max_loss"], *across),
        chart_cards.loss("loss-log", LATER, "log", view.losses),
        chart_cards.differences(),
        *chart_cards.no_bars(shown),
    ]
    state = _state(
        f"tags.mlflow.parentRunId = '{parent}'",
        # Sorted by date, children would be folded into their parent. The page loads a hundred
        # runs at first, so the best come first: by iterations an early divergence would be there.
        f"metrics.`{view.best_first}`",
        ascending=not view.largest_first,
        columns=[f"params.`{key}`" for key in shown],
        cards=cards,
    )
    return _envelope(view.name, created, state)


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
        chart_cards.loss("loss", FIRST, "linear"),
        *chart_cards.by_learning_rate(FIRST, ["iterations"], [LR], ()),
        *chart_cards.pictures(FIRST, {PICTURE: 0}),
        chart_cards.loss("loss-log", LATER, "log"),
        chart_cards.differences(),
        *chart_cards.no_bars([LR, "stopping.threshold"]),
    ]
    columns = [f"params.`{key}`" for key in ("problem.name", "optimizer.name", LR)]
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
    runs: str, order: str, ascending: bool, columns: list[str], cards: list[Card]
) -> dict[str, Any]:
    sections = [
        _section(FIRST, "Losses and iterations", cardHeight=FIRST_HEIGHT),
        _section(SPACE, "Swept keys and hitting time"),
        _section(RATES, "Smallest and largest loss"),
        _section(LATER, "Losses, both scales logarithmic", columns=1),
        _section(DIFFERS, "Params that differ", columns=1),
    ]
    used = {card["metricSectionId"] for card in cards}
    return {
        "searchFilter": runs,
        "orderByKey": order,
        "orderByAsc": ascending,
        "runsHiddenMode": "SHOW_ALL",
        "selectedColumns": [
            *columns,
            *(f"metrics.`{key}`" for key in ("iterations", "final_loss", "min_loss", "max_loss")),
            "tags.`gdexp.status`",
        ],
        "compareRunCharts": cards,
        "compareRunSections": [
            *(section for section in sections if section["uuid"] in used),
            # MLflow adds a chart for each metric without a card, such as a training's; folded.
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


def _section(
    uuid: str, name: str, columns: int = 2, display: bool = True, **settings: object
) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "name": name,
        "display": display,
        "isReordered": False,
        "columns": columns,
        **settings,
    }
