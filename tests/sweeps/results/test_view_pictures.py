"""The pictures of a sweep's first screen in MLflow are with the trial that comes first there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from gdexp.cli.main import main
from gdexp.tracking.mlflow_ui import chart_views, run_display


@pytest.mark.slow
def test_the_pictures_move_to_the_new_best_trial(here: Path) -> None:
    client = MlflowClient(tracking_uri=f"sqlite:///{here / 'mlflow.db'}")
    best = set()
    for count in (1, 6):
        arguments = [f"sweep.n_trials={count}", "sweep.name=s", "stopping.threshold=1e-4"]
        assert main(["+sweep", *arguments]) == 0
        (sweep,) = client.search_runs(["1"], "tags.`gdexp.kind` = 'sweep'")
        shown = client.search_runs(["1"], f"tags.`{run_display.IMAGES_TAG}` = 'True'")
        assert [run.info.run_id for run in shown] == [sweep.data.tags["gdexp.best_run"]]
        best |= {run.info.run_id for run in shown}
        tag = client.get_experiment("1").tags[chart_views.view_tag(sweep.info.run_id)]
        cards = json.loads(json.loads(tag)["state"])["compareRunCharts"]
        (step,) = (c["step"] for c in cards if c.get("imageKeys") == [chart_views.THRESHOLDS])
        assert step == count
        files = [file.path for file in client.list_artifacts(shown[0].info.run_id, "images")]
        assert any(f"{chart_views.THRESHOLDS}+step+{count}+" in path for path in files)
    assert len(best) == 2
