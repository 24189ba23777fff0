"""The saved chart view: its JSON, its size, its link."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gdexp.tracking.mlflow_ui import chart_views, run_display
from gdexp.tracking.mlflow_ui.chart_views import SweepView
from gdexp.tracking.recorded_names import METRICS

PARENT = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
SWEPT = ["optimizer.lr", "stopping.threshold"]
PICTURES = {chart_views.THRESHOLDS: 100, chart_views.PICTURE: 0}


def parsed(envelope: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.loads(envelope)["state"])
    return found


def state(swept: list[str], log: Sequence[str] = ()) -> dict[str, Any]:
    view = SweepView("a sweep", swept, log, pictures=PICTURES)
    return parsed(chart_views.view_state(PARENT, view, 1_700_000_000_000))


def shown(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [card for card in state["compareRunCharts"] if not card["deleted"]]


def cards(swept: list[str], kind: str, log: Sequence[str] = ()) -> list[dict[str, Any]]:
    return [card for card in shown(state(swept, log)) if card["type"] == kind]


def test_envelope_has_what_mlflow_lists() -> None:
    envelope = json.loads(
        chart_views.view_state(PARENT, SweepView('a "sweep" ×', SWEPT), 1_700_000_000_000)
    )
    assert envelope["name"] == 'a "sweep" ×'
    assert envelope["createdAt"] == envelope["updatedAt"] == 1_700_000_000_000
    assert isinstance(envelope["state"], str)


def test_same_input_gives_same_text() -> None:
    view = SweepView("s", SWEPT)
    assert chart_views.view_state(PARENT, view, 1) == chart_views.view_state(PARENT, view, 1)


def test_filter_and_order_of_the_runs() -> None:
    of_a_sweep = state(SWEPT)
    assert of_a_sweep["searchFilter"] == f"tags.mlflow.parentRunId = '{PARENT}'"
    assert of_a_sweep["orderByKey"] == "metrics.`hitting_time`"
    assert of_a_sweep["orderByAsc"] is True
    of_runs = parsed(chart_views.runs_view_state("single runs", 1))
    assert of_runs["searchFilter"] == "tags.`gdexp.kind` LIKE '%run'"
    assert of_runs["orderByKey"] == "attributes.start_time"
    assert of_runs["orderByAsc"] is False
    assert {of_runs["runsHiddenMode"], of_a_sweep["runsHiddenMode"]} == {"SHOW_ALL"}


@pytest.mark.parametrize("log", [(), SWEPT])
def test_loss_curves_have_a_log_axis_and_are_not_smoothed(log: Sequence[str]) -> None:
    lines = cards(SWEPT, "LINE", log)
    assert {card["metricKey"] for card in lines} == {"loss"}
    assert {card["scaleType"] for card in lines} == {"log"}
    assert [card["xAxisScaleType"] for card in lines] == ["linear", "log"]
    assert {card["lineSmoothness"] for card in lines} == {0}
    assert not any("range" in card for card in lines)


def test_the_losses_that_are_drawn_can_be_limited() -> None:
    view = SweepView("a sweep", SWEPT, losses=(1e-9, 10.0), iterations=40)
    limited = shown(parsed(chart_views.view_state(PARENT, view, 1)))
    linear, log = [card["range"] for card in limited if card["type"] == "LINE"]
    assert log == {"yMin": pytest.approx(-9), "yMax": pytest.approx(1)}
    assert linear == {**log, "xMin": 0, "xMax": 40}


def test_without_powers_of_ten_the_axes_are_linear() -> None:
    scatter = cards(SWEPT, "SCATTER")
    assert {card["xaxis"]["key"] for card in scatter} == {"optimizer.lr"}
    assert [card["yaxis"]["key"] for card in scatter] == ["iterations", "min_loss", "max_loss"]
    (parallel,) = cards(SWEPT, "PARALLEL")
    assert parallel["selectedParams"] == SWEPT
    assert parallel["selectedMetrics"] == ["hitting_time"]
    (contour,) = cards(SWEPT, "CONTOUR")
    assert [contour[axis]["type"] for axis in ("xaxis", "yaxis", "zaxis")] == [
        "PARAM",
        "PARAM",
        "METRIC",
    ]


def test_powers_of_ten_make_log_axes() -> None:
    swept = ["optimizer.name", *SWEPT]
    by_rate = cards(swept, "SCATTER", SWEPT)
    assert {card["xaxis"]["key"] for card in by_rate} == {"log10/optimizer.lr"}
    assert [card["yaxis"]["key"] for card in by_rate] == [
        "log10/iterations",
        "log10/min_loss",
        "log10/max_loss",
    ]
    assert {card[axis]["type"] for card in by_rate for axis in ("xaxis", "yaxis")} == {"METRIC"}
    (parallel,) = cards(swept, "PARALLEL", SWEPT)
    assert parallel["selectedParams"] == ["optimizer.name"]
    assert parallel["selectedMetrics"] == [
        "log10/optimizer.lr",
        "log10/stopping.threshold",
        "log10/hitting_time",
    ]
    (contour,) = cards(SWEPT, "CONTOUR", SWEPT)
    assert contour["xaxis"] == {"key": "log10/optimizer.lr", "type": "METRIC"}
    assert contour["zaxis"] == {"key": "log10/hitting_time", "type": "METRIC"}


def test_the_final_tensors_and_what_differs_are_shown() -> None:
    found = [(card["imageKeys"], card["step"]) for card in cards(SWEPT, "IMAGE")]
    assert found == [([key], step) for key, step in PICTURES.items()]
    (difference,) = cards(SWEPT, "DIFFERENCE")
    assert difference["compareGroups"] == ["Parameters"]


def test_the_first_section_holds_what_the_first_screen_shows() -> None:
    made = state(SWEPT, SWEPT)
    first = made["compareRunSections"][0]["uuid"]
    kinds = [card["type"] for card in shown(made) if card["metricSectionId"] == first]
    assert kinds == ["LINE", "SCATTER", "IMAGE", "IMAGE"]


@pytest.mark.parametrize(("metric", "largest"), [("hitting_time", False), ("max/accuracy", True)])
def test_the_best_trial_comes_first(metric: str, largest: bool) -> None:
    view = SweepView("s", best_first=metric, largest_first=largest)
    made = parsed(chart_views.view_state(PARENT, view, 1))
    assert (made["orderByKey"], made["orderByAsc"]) == (f"metrics.`{metric}`", not largest)


@pytest.mark.parametrize("of_a_sweep", [True, False])
def test_no_bars_are_drawn_of_single_numbers(of_a_sweep: bool) -> None:
    of_runs = parsed(chart_views.runs_view_state("runs", 1))
    made = state(SWEPT, SWEPT) if of_a_sweep else of_runs
    charted = {card.get("metricKey") for card in made["compareRunCharts"]}
    recorded = {*METRICS} - {name for name in METRICS if "NAME" in name} - {"trials", "steps_saved"}
    powers = {f"log10/{key}" for key in (*SWEPT, *run_display.ON_LOG_SCALES)}
    assert charted >= recorded | powers
    assert not any(card["type"] == "BAR" for card in shown(made))


@pytest.mark.parametrize(
    ("swept", "across"),
    [
        (["stopping.threshold", "optimizer.lr"], "optimizer.lr"),
        (["optimizer.momentum", "seed"], "optimizer.momentum"),
    ],
)
def test_iterations_stand_over_the_learning_rate_where_it_is_swept(
    swept: list[str], across: str
) -> None:
    assert {card["xaxis"]["key"] for card in cards(swept, "SCATTER")} == {across}


@pytest.mark.parametrize(("swept", "contours"), [([], 0), (["optimizer.lr"], 0), (SWEPT, 1)])
def test_a_map_needs_two_keys(swept: list[str], contours: int) -> None:
    assert len(cards(swept, "CONTOUR")) == contours


def test_nothing_swept_leaves_curves_and_tensors() -> None:
    kinds = [card["type"] for card in shown(state([]))]
    assert kinds == ["LINE", "IMAGE", "IMAGE", "LINE", "DIFFERENCE"]


@pytest.mark.parametrize(
    "envelope",
    [
        chart_views.view_state(PARENT, SweepView("a sweep", SWEPT), 1),
        chart_views.view_state(PARENT, SweepView("a sweep", SWEPT, SWEPT, pictures=PICTURES), 1),
        chart_views.view_state(PARENT, SweepView("a sweep"), 1),
        chart_views.runs_view_state("single runs", 1),
    ],
)
def test_every_card_is_in_a_section_and_has_its_own_id(envelope: str) -> None:
    made = parsed(envelope)
    sections = [section["uuid"] for section in made["compareRunSections"]]
    ids = [card["uuid"] for card in made["compareRunCharts"]]
    used = list(dict.fromkeys(card["metricSectionId"] for card in made["compareRunCharts"]))
    assert sections[: len(used)] == used
    assert len(set(ids)) == len(ids)
    assert len(set(sections)) == len(sections)


@pytest.mark.parametrize("count", [0, 2, 1000])
def test_fits_an_experiment_tag(count: int) -> None:
    swept = [f"optimizer.a_rather_long_key_{i}" for i in range(count)]
    for log in ([], swept):
        view = SweepView("×" * 250, swept, log, pictures=PICTURES)
        assert len(chart_views.view_state(PARENT, view, 1)) <= chart_views.MAX_VALUE
    assert len(chart_views.view_tag(PARENT)) <= 250


def test_key_is_short_and_its_sweeps_own() -> None:
    assert chart_views.view_key(PARENT) != chart_views.view_key(OTHER)
    assert len(chart_views.view_key(PARENT)) <= 32
    assert chart_views.view_tag(PARENT) == "mlflow.sharedViewState." + chart_views.view_key(PARENT)


def test_link_opens_charts_with_the_view_and_names_no_filter() -> None:
    parts = urlsplit(chart_views.children_link("1", PARENT))
    assert parts.path == "/experiments/1/runs"
    assert parse_qs(parts.query) == {
        "compareRunsMode": ["CHART"],
        "workflowType": ["machine_learning"],
        "viewStateShareKey": [chart_views.view_key(PARENT)],
    }


@pytest.mark.parametrize(
    "link",
    [
        chart_views.children_link("1", PARENT),
        chart_views.runs_link("1"),
        chart_views.run_link("1", PARENT),
        chart_views.loss_link("1", PARENT),
        chart_views.compare_link("1", [PARENT, OTHER]),
    ],
)
def test_every_link_stays_among_the_tools_for_training(link: str) -> None:
    assert parse_qs(urlsplit(link).query)["workflowType"] == ["machine_learning"]


def test_losses_of_one_run_and_a_comparison() -> None:
    losses = parse_qs(urlsplit(chart_views.loss_link("1", PARENT)).query)
    assert losses["runs"] == [f'["{PARENT}"]']
    assert losses["y_axis_scale"] == ["log"]
    compared = parse_qs(urlsplit(chart_views.compare_link("1", [PARENT, OTHER])).query)
    assert json.loads(compared["runs"][0]) == [PARENT, OTHER]
    assert compared["experiments"] == ['["1"]']


def test_link_is_encoded() -> None:
    link = chart_views.children_link("a b/c?d#e", PARENT)
    assert link.startswith("/experiments/a%20b%2Fc%3Fd%23e/runs?")
    assert not set(link) & set(" #'`\"")
