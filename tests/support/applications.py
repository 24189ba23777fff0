"""Small Hydra applications that know nothing of gdexp, run as their users do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gdexp
from tests.support.commands import environment, fork_server
from tests.support.fork_server import RunningCommand

PLUGINS = Path(gdexp.__file__).parent / "hydra_plugins"

SPHERE = """
from dataclasses import dataclass

import hydra
from hydra.core.config_store import ConfigStore


@dataclass
class Config:
    x: float = 0.0
    y: int = 1


ConfigStore.instance().store(name="config", node=Config)


@hydra.main(version_base="1.3", config_path=None, config_name="config")
def main(cfg):
    if cfg.x < -3:
        raise ValueError("x is too small")
    return (cfg.x - 1) ** 2 + cfg.y


if __name__ == "__main__":
    main()
"""

CUSTOM = SPHERE.replace(
    "@hydra.main",
    """def configure(cfg, trial):
    y = trial.suggest_int("y", 1, 3)
    if y > 1:
        trial.suggest_float("+z", 0.0, float(y))


@hydra.main""",
)
"""The same with a conditional space of its own."""


def application(folder: Path, text: str = SPHERE) -> Path:
    """Write an application; return its file.

    The plugin lies beside it as a wheel puts it among the installed packages.
    """
    found = folder / "installed" / "hydra_plugins" / "gdexp_sweeper"
    if not found.exists():
        found.parent.mkdir(parents=True)
        found.symlink_to(PLUGINS / "gdexp_sweeper")
    script = folder / "train.py"
    script.write_text(text, encoding="utf-8")
    return script


def start(script: Path, *arguments: str, **variables: str) -> RunningCommand:
    """Start `python train.py -m hydra/sweeper=gdexp …` in a fork that has imported everything."""
    return start_line(script, "-m", "hydra/sweeper=gdexp", *arguments, **variables)


def start_line(script: Path, *line: str, **variables: str) -> RunningCommand:
    """Start `python train.py …` in such a fork."""
    return fork_server().start(
        *line,
        cwd=script.parent,
        before=f"{__name__}:typed",
        given=[script.name, *line],
        variables={**variables_of(script), **variables},
        unbuffered=True,
        module=script.stem,
    )


def typed(*line: str) -> None:
    """Let a fork look as if it had been started by these words."""
    sys.orig_argv = [sys.executable, *line]


def sweep(
    script: Path, *arguments: str, expect: int | None = 0, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `python train.py -m hydra/sweeper=gdexp …`, and check its exit status."""
    running = start(script, *arguments, **variables)
    out, err = running.communicate()
    if expect is not None:
        assert running.returncode == expect, f"{running.returncode}\n{out}\n{err}"
    return subprocess.CompletedProcess(arguments, running.returncode or 0, out, err)


def variables_of(script: Path) -> dict[str, str]:
    """The environment of an application: gdexp and its plugin are installed."""
    path = [str(Path(gdexp.__file__).parents[1]), str(script.parent / "installed")]
    kept = {key: value for key, value in environment().items() if key != "PYTHONWARNINGS"}
    return {**kept, "PYTHONPATH": ":".join(path)}


def study_of(folder: Path) -> Any:
    """The only study of an application's folder."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    (journal,) = folder.glob("sweeps/*/study.journal")
    storage = JournalStorage(JournalFileBackend(str(journal)))
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)


def told(study: Any) -> Sequence[tuple[dict[str, Any], str, Any]]:
    """Parameters, state and values of each trial."""
    return [(dict(each.params), each.state.name, each.values) for each in study.trials]
