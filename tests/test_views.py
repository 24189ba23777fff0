"""The saved chart view: its JSON, its size, its link."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gdexp.tracking import views

PARENT = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
SWEPT = ["optimizer.lr", "stopping.threshold"]


def state(swept: list[str]) -> dict[str, Any]:
    envelope = json.loads(views.view_state(PARENT, swept, "a sweep", 1_700_000_000_000))
    parsed: dict[str, Any] = json.loads(envelope["state"])
    return parsed


def cards(swept: list[str], kind: str) -> list[dict[str, Any]]:
    return [card for card in state(swept)["compareRunCharts"] if card["type"] == kind]


def test_envelope_has_what_mlflow_lists() -> None:
    envelope = json.loads(views.view_state(PARENT, SWEPT, 'a "sweep" ×', 1_700_000_000_000))
    assert envelope["name"] == 'a "sweep" ×'
    assert envelope["createdAt"] == envelope["updatedAt"] == 1_700_000_000_000
    assert isinstance(envelope["state"], str)


def test_same_input_gives_same_text() -> None:
    assert views.view_state(PARENT, SWEPT, "s", 1) == views.view_state(PARENT, SWEPT, "s", 1)


def test_filter_and_order_of_the_runs() -> None:
    parsed = state(SWEPT)
    assert parsed["searchFilter"] == f"tags.mlflow.parentRunId = '{PARENT}'"
    assert parsed["orderByKey"] == "metrics.`hitting_time`"
    assert parsed["orderByAsc"] is True
    assert parsed["runsHiddenMode"] == "SHOW_ALL"


def test_loss_curves_have_a_log_axis_and_are_not_smoothed() -> None:
    lines = cards(SWEPT, "LINE")
    assert {card["metricKey"] for card in lines} == {"loss"}
    assert {card["scaleType"] for card in lines} == {"log"}
    assert [card["xAxisScaleType"] for card in lines] == ["linear", "log"]
    assert {card["lineSmoothness"] for card in lines} == {0}


def test_scatter_and_parallel_coordinates() -> None:
    (scatter,) = cards(SWEPT, "SCATTER")
    assert scatter["xaxis"] == {"key": "optimizer.lr", "type": "PARAM"}
    assert scatter["yaxis"] == {"key": "iterations", "type": "METRIC"}
    (parallel,) = cards(SWEPT, "PARALLEL")
    assert parallel["selectedParams"] == SWEPT
    assert parallel["selectedMetrics"] == ["hitting_time"]


@pytest.mark.parametrize(
    ("swept", "across"),
    [
        (["stopping.threshold", "optimizer.lr"], "optimizer.lr"),
        (["optimizer.momentum", "seed"], "optimizer.momentum"),
    ],
)
def test_scatter_prefers_the_learning_rate(swept: list[str], across: str) -> None:
    (scatter,) = cards(swept, "SCATTER")
    assert scatter["xaxis"]["key"] == across


def test_nothing_swept_leaves_the_curves() -> None:
    assert [card["type"] for card in state([])["compareRunCharts"]] == ["LINE", "LINE"]


def test_every_card_is_in_a_section_and_has_its_own_id() -> None:
    parsed = state(SWEPT)
    sections = [section["uuid"] for section in parsed["compareRunSections"]]
    ids = [card["uuid"] for card in parsed["compareRunCharts"]]
    assert {card["metricSectionId"] for card in parsed["compareRunCharts"]} <= set(sections)
    assert len(set(ids)) == len(ids)
    assert len(set(sections)) == len(sections)


@pytest.mark.parametrize("count", [0, 2, 1000])
def test_fits_an_experiment_tag(count: int) -> None:
    swept = [f"optimizer.a_rather_long_key_{i}" for i in range(count)]
    assert len(views.view_state(PARENT, swept, "×" * 250, 1)) <= views.MAX_VALUE
    assert len(views.view_tag(PARENT)) <= 250


def test_key_is_short_and_its_sweeps_own() -> None:
    assert views.view_key(PARENT) != views.view_key(OTHER)
    assert len(views.view_key(PARENT)) <= 32
    assert views.view_tag(PARENT) == "mlflow.sharedViewState." + views.view_key(PARENT)


def test_link_opens_charts_with_the_view_and_names_no_filter() -> None:
    parts = urlsplit(views.children_link("1", PARENT))
    assert parts.path == "/experiments/1/runs"
    assert parse_qs(parts.query) == {
        "compareRunsMode": ["CHART"],
        "workflowType": ["machine_learning"],
        "viewStateShareKey": [views.view_key(PARENT)],
    }


def test_link_is_encoded() -> None:
    link = views.children_link("a b/c?d#e", PARENT)
    assert link.startswith("/experiments/a%20b%2Fc%3Fd%23e/runs?")
    assert not set(link) & set(" #'`\"")
