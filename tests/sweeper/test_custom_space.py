"""A function that suggests parameters, and what it may raise."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf
from optuna.trial import FixedTrial

from gdexp.core import GdexpError
from gdexp.sweeper.custom_space import suggestions


def test_whatever_the_function_raises_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_space.py").write_text("def configure(cfg, trial):\n    raise GeneratorExit\n")
    (tmp_path / "own_end.py").write_text("raise SystemExit(0)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg = OmegaConf.create({})
    suggest = suggestions("own_space.configure", cfg, {})
    with pytest.raises(GdexpError, match="configure: its code failed: GeneratorExit: no message"):
        suggest(FixedTrial({}))
    with pytest.raises(GdexpError, match=r"own_end\.configure: must name a function: "):
        suggestions("own_end.configure", cfg, {})
