"""The cards of a saved chart view: each is one chart on MLflow's experiment page.

The fields are those of MLflow 3.17, which does not document them. Only line charts have log axes;
the other charts show the powers of ten that `run_display.chart_metrics` adds to each trial.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from gdexp.tracking.mlflow_ui.run_display import LOG_SCALE, ON_LOG_SCALES

Card = dict[str, Any]

FIRST, RATES, SPACE = "gdexp-first", "gdexp-rates", "gdexp-space"
LATER, DIFFERS = "gdexp-later", "gdexp-differs"
"""Ids of the page's sections; they only have to differ."""

LR = "optimizer.lr"

SINGLE_NUMBERS = (
    *("iterations", "updates", "hitting_time", "hitting_seconds", "final_loss", "min_loss"),
    *("max_loss", "seconds", "epochs", "expected_running_time", "geometric_mean"),
    "mean_ratio",
    *("successes", "steps"),
    *("loss_evaluations", "gradient_evaluations"),
)
"""Metrics with one value. MLflow would draw bars of them and write 1e-6 as 0.00."""


def readings(metric: str) -> Card:
    """Return a card with a metric of trainings by update."""
    return card(
        f"metric-{metric}",
        FIRST,
        "LINE",
        metricKey=metric,
        selectedMetricKeys=[metric],
        xAxisKey="step",
        xAxisScaleType="linear",
        scaleType="linear",
        lineSmoothness=0,
        displayPoints=False,
    )


def loss(
    name: str,
    section: str,
    steps: str,
    losses: tuple[float, float] | None = None,
    iterations: float | None = None,
) -> Card:
    """Return a card with the loss on a log axis.

    Args:
        name: of the card.
        section: where it is.
        steps: the scale of the other axis, linear or log.
        losses: the smallest and the largest loss that are drawn; None: all.
        iterations: the last iteration that is drawn; None: all.
    """
    made = card(
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
    limits: dict[str, float] = {}
    if losses is not None:
        low, high = losses
        limits |= {"yMin": math.log10(low), "yMax": math.log10(high)}
    if iterations is not None:
        limits |= {"xMin": 0, "xMax": iterations}
    return {**made, "range": limits} if limits else made


def by_learning_rate(
    section: str, names: Iterable[str], swept: Sequence[str], log: Collection[str]
) -> list[Card]:
    """Return a card for each metric over the learning rate, or over the first swept key.

    Args:
        section: where they are.
        names: the metrics.
        swept: the config keys that the runs change; without one there is no card.
        log: the keys of `swept` that have powers of ten; the metrics have them too then.
    """
    if not swept:
        return []
    across = LR if LR in swept else swept[0]
    return [
        card(
            name,
            section,
            "SCATTER",
            xaxis=_swept(across, log),
            yaxis=_metric(LOG_SCALE + name if log else name),
            runsCountToCompare=1000,
        )
        for name in names
    ]


def space(swept: Sequence[str], log: Collection[str]) -> list[Card]:
    """Return parallel coordinates of all swept keys, and a map of the first two."""
    if not swept:
        return []
    hitting_time = LOG_SCALE + "hitting_time" if log else "hitting_time"
    cards = [
        card(
            "space",
            SPACE,
            "PARALLEL",
            selectedParams=[key for key in swept if key not in log],
            # The last axis colours the lines.
            selectedMetrics=[*(LOG_SCALE + key for key in swept if key in log), hitting_time],
            showAllRuns=True,
        )
    ]
    if len(swept) > 1:
        x, y = (_swept(key, log) for key in swept[:2])
        cards.append(card("map", SPACE, "CONTOUR", xaxis=x, yaxis=y, zaxis=_metric(hitting_time)))
    return cards


def pictures(section: str, steps: Mapping[str, int]) -> list[Card]:
    """Return a card for each picture of runs.

    Args:
        section: where they are.
        steps: the place on the card's slider, by the picture's key.
    """
    return [
        card(f"picture-{key}", section, "IMAGE", imageKeys=[key], step=step, showRunParams=False)
        for key, step in steps.items()
    ]


def differences() -> Card:
    """Return a table of the params that differ; of metrics it would show two decimals only."""
    return card(
        "differences",
        DIFFERS,
        "DIFFERENCE",
        compareGroups=["Parameters"],
        chartName="Differences",
        showChangeFromBaseline=False,
        showDifferencesOnly=True,
        baselineColumnUuid="",
    )


def no_bars(keys: Iterable[str]) -> list[Card]:
    """Return deleted cards of all single numbers: MLflow draws bars of what has no card.

    Args:
        keys: the config keys that have powers of ten.
    """
    on_log_scales = (LOG_SCALE + name for name in dict.fromkeys([*ON_LOG_SCALES, *keys]))
    return [
        {**card(f"no-{name}", FIRST, "BAR", metricKey=name), "deleted": True}
        for name in (*SINGLE_NUMBERS, *on_log_scales)
    ]


def card(name: str, section: str, kind: str, **settings: object) -> Card:
    """Return a card of some kind in a section."""
    return {
        "uuid": f"gdexp-{name}",
        "type": kind,
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
        **settings,
    }


def _swept(key: str, log: Collection[str]) -> dict[str, str]:
    """Return the axis of a swept key."""
    return _metric(LOG_SCALE + key) if key in log else {"key": key, "type": "PARAM"}


def _metric(key: str) -> dict[str, str]:
    return {"key": key, "type": "METRIC"}
