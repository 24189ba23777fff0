"""`python train.py -m hydra/sweeper=gdexp …` on functions that know nothing of gdexp."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.support.applications import application, study_of, sweep, told

pytestmark = pytest.mark.slow

SPACE = ["x=interval(-5,5)", "y=choice(1,2)", "hydra/sweeper/sampler=random"]


def test_a_plain_function_is_swept_continued_and_shared_by_workers(tmp_path: Path) -> None:
    script = application(tmp_path)
    first = sweep(script, *SPACE, "hydra.sweeper.n_trials=4")
    assert "direction    minimize" in first.stdout
    assert "in 4 trials, random" in first.stdout
    (folder,) = tmp_path.glob("multirun/*/*")
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    whole = sweep(script, *SPACE, "hydra.sweeper.n_trials=8", "hydra.sweeper.workers=2")
    assert "Continuing: 4 of 8 trials are there." in whole.stdout
    assert list(tmp_path.glob("multirun/*/*")) == [folder]
    results = folder / "optimization_results.yaml"
    kept = {path: path.stat().st_mtime_ns for path in written if path != results}
    assert kept == {path: when for path, when in written.items() if path != results}

    study = study_of(tmp_path)
    assert len(study.trials) == 8
    for trial in study.trials:
        own = folder / str(trial.number)
        assert {"config.yaml", "hydra.yaml", "overrides.yaml"} == {
            path.name for path in (own / ".hydra").iterdir()
        }
        config = OmegaConf.load(own / ".hydra" / "config.yaml")
        assert (config.x, config.y) == (trial.params["x"], trial.params["y"])
        failed = trial.params["x"] < -3
        assert trial.state.name == ("FAIL" if failed else "COMPLETE")
        if failed:
            assert trial.user_attrs["gdexp.record"]["reason"] == "ValueError: x is too small"
            assert "train.py" in (own / "error.txt").read_text()
            assert f"trial {trial.number} failed: ValueError: x is too small" in (
                first.stderr + whole.stderr
            )
        else:
            assert trial.value == (config.x - 1) ** 2 + config.y
    assert any(trial.state.name == "FAIL" for trial in study.trials)
    best = OmegaConf.load(results)
    assert best.name == "optuna"
    assert best.best_params == study.best_trial.params
    assert best.best_value == study.best_value
    assert (best.trial, best.folder) == (
        study.best_trial.number,
        str((folder / str(study.best_trial.number)).relative_to(tmp_path)),
    )

    alone = tmp_path / "alone"
    alone.mkdir()
    sweep(application(alone), *SPACE, "hydra.sweeper.n_trials=8", "hydra.sweeper.job_dirs=false")
    assert told(study_of(alone)) == told(study)
    assert [path.name for path in alone.glob("multirun/*/*/*")] == ["optimization_results.yaml"]
    again = sweep(script, *SPACE, "hydra.sweeper.n_trials=8")
    assert "All 8 trials are there." in again.stdout
    assert "another hydra.sweeper.study_name starts anew" in " ".join(again.stdout.split())
