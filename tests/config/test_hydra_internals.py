"""The private parts of Hydra that gdexp uses: where one is missing, its name is told."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest
from hydra._internal.hydra import Hydra
from hydra.conf import HydraConf
from hydra.core import utils
from omegaconf import OmegaConf

from gdexp.cli import main
from gdexp.config.hydra_internals import (
    BASIC_LAUNCHER,
    masked_config_files,
    mode_from_the_command,
)

CANARY = "correct-horse-42"


def test_the_basic_launcher_has_its_name() -> None:
    module, _, name = BASIC_LAUNCHER.rpartition(".")
    assert hasattr(import_module(module), name), f"Hydra has no {BASIC_LAUNCHER}"
    assert {"launcher": "basic"} in HydraConf().defaults, "Hydra's default launcher is another"


def test_hydra_writes_its_files_with_the_function_that_is_replaced() -> None:
    assert hasattr(utils, "_save_config"), "hydra.core.utils has no _save_config"
    assert [*inspect.signature(utils._save_config).parameters] == ["cfg", "filename", "output_dir"]
    source = inspect.getsource(utils.run_job)
    assert source.count("_save_config(") == 3, "hydra.core.utils.run_job no longer calls it"


def test_files_of_hydra_hold_no_secret_and_its_function_comes_back(tmp_path: Path) -> None:
    original = utils._save_config
    with masked_config_files():
        utils._save_config(OmegaConf.create({"password": CANARY, "lr": 1}), "a.yaml", tmp_path)
    assert (tmp_path / "a.yaml").read_text() == "password: '***'\nlr: 1\n".replace("'", "")
    assert utils._save_config is original


@pytest.mark.slow
def test_hydra_composes_the_config_of_a_command_once(
    monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    assert hasattr(Hydra, "get_mode"), "hydra._internal.hydra.Hydra has no get_mode"
    composed = []
    compose_config = Hydra.compose_config
    monkeypatch.setattr(
        Hydra,
        "compose_config",
        lambda self, *args, **named: composed.append(1) or compose_config(self, *args, **named),
    )
    assert main(["+problems"]) == 0
    assert len(composed) == 1
    with mode_from_the_command():
        pass
    assert Hydra.get_mode.__module__ == Hydra.__module__
