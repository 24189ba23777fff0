"""`gdexp.figures`: the charts of a comparison as figures of plotly and matplotlib."""

from __future__ import annotations

from pathlib import Path

import pytest

import gdexp
from gdexp.core import BadInput
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.runs.test_runs import swept


@pytest.mark.slow
def test_each_figure_shows_the_numbers_of_the_runs(here: Path) -> None:
    swept(Store(TrackingSettings()), 0.5, 4.5, 2.0)
    runs = gdexp.load_runs()
    comparison = gdexp.compare(runs)
    loss = gdexp.figures.loss(comparison)
    assert max(len(trace.x) for trace in loss.data) == max(len(run.trace) for run in runs)
    assert loss.layout.yaxis.type == "log"
    by_lr = gdexp.figures.iterations_by_lr(comparison)
    marks = [trace for trace in by_lr.data if trace.mode == "markers"]
    points = {x: y for each in marks for x, y in zip(each.x, each.y, strict=True)}
    assert points == {run.values["optimizer.lr"]: run.iterations for run in runs}
    for name in ("loss", "iterations_by_lr", "thresholds", "ecdf"):
        figure = getattr(gdexp.figures, name)(comparison, backend="matplotlib")
        (axes, *_) = figure.axes
        assert axes.get_title() == getattr(gdexp.figures, name)(comparison).layout.title.text
    for name in ("profile", "contour"):
        with pytest.raises(BadInput, match="needs"):
            getattr(gdexp.figures, name)(comparison)
    with pytest.raises(BadInput, match="backend=svg"):
        gdexp.figures.loss(comparison, backend="svg")
