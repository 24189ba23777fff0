"""Configs that were written for hydra-optuna-sweeper, as public templates have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.support.applications import application, start_line, study_of

pytestmark = pytest.mark.slow

TRAIN = """
import hydra


@hydra.main(version_base="1.3", config_path="conf", config_name="train.yaml")
def main(cfg):
    metrics = {"val/acc_best": 1 - abs(cfg.model.optimizer.lr - 0.01) - cfg.data.batch_size / 1000}
    return metrics.get(cfg.optimized_metric)


if __name__ == "__main__":
    main()
"""

CONF = {
    "train": """
defaults:
  - _self_
  - hparams_search: null
model: {optimizer: {lr: 0.1}}
data: {batch_size: 64}
optimized_metric: null
""",
    "hparams_search/mnist_optuna": """# @package _global_
defaults:
  - override /hydra/sweeper: optuna

optimized_metric: "val/acc_best"

hydra:
  mode: "MULTIRUN"
  sweeper:
    _target_: hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper
    storage: null
    study_name: null
    n_jobs: 1
    direction: maximize
    n_trials: 5
    sampler:
      _target_: optuna.samplers.TPESampler
      seed: 1234
      n_startup_trials: 3
    params:
      model.optimizer.lr: interval(0.0001, 0.1)
      data.batch_size: choice(32, 64, 128, 256)
""",
}
"""The files of a template that names the old class, and wants several jobs by itself."""


def test_a_template_that_names_the_old_class_is_swept_as_it_is(tmp_path: Path) -> None:
    for name, text in CONF.items():
        path = tmp_path / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    running = start_line(application(tmp_path, TRAIN), "hparams_search=mnist_optuna")
    done = running.wait()
    assert done.status == 0, done.err
    study = study_of(tmp_path)
    assert study.direction.name == "MAXIMIZE"
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 5
    assert set(study.best_params) == {"model.optimizer.lr", "data.batch_size"}
    (results,) = tmp_path.glob("multirun/*/*/optimization_results.yaml")
    assert OmegaConf.load(results).best_params == study.best_params
    # The file asks for several jobs: one of them again needs another mode.
    repeated = "python train.py hydra.mode=RUN hparams_search=mnist_optuna model.optimizer.lr="
    assert repeated in " ".join(done.out.split())
