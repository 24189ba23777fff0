"""Small Hydra applications that know nothing of gdexp, run as their users do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

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

WAITING = """
import time
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore

PLACES = {"n": 0, "place": {"_target_": "__main__.Place", "name": "${n}"}}
ConfigStore.instance().store(name="config", node=PLACES)


class Place:
    def __init__(self, name):
        self.path = Path(f"made-{name}")


def configure(cfg, trial):
    trial.suggest_float("+x", 0.0, 1.0)


@hydra.main(version_base="1.3", config_path=None, config_name="config")
def main(cfg):
    until = time.monotonic() + 100
    while cfg.n == 0 and not Path("made-3").exists():
        if time.monotonic() > until:
            raise TimeoutError("the others wait for this trial")
        time.sleep(0.05)
    hydra.utils.instantiate(cfg.place).path.touch()
    return cfg.n + cfg.x


if __name__ == "__main__":
    main()
"""
"""Four trials, of which the first ends after the last: no worker may wait for another's.

Its config names a class and a function of the script itself.
"""

WAITING_SPACE = [
    *("n=0,1,2,3", "hydra.sweeper.custom_search_space=__main__.configure"),
    *("hydra.sweeper.n_trials=4", "hydra/sweeper/sampler=grid", "hydra.sweeper.workers=2"),
]


def check_waited(study: Any) -> None:
    """All trials of `WAITING` are complete, and the first one ended after the third."""
    trials = study.trials
    assert [each.state.name for each in trials] == ["COMPLETE"] * 4
    assert [each.value for each in trials] == [sum(each.params.values()) for each in trials]
    ended = {each.params["n"]: each.datetime_complete for each in trials}
    assert ended[0] > max(ended[1], ended[2])  # the fourth is told at the same time
    assert len({each.user_attrs["gdexp.worker"] for each in trials}) == 2


def application(folder: Path, text: str = SPHERE) -> Path:
    """Write an application; return its file.

    The plugin lies beside it as a wheel puts it among the installed packages.
    """
    script = folder / "train.py"
    found = plugin(script) / "hydra_plugins" / "gdexp_sweeper"
    if not found.exists():
        found.parent.mkdir(parents=True)
        found.symlink_to(PLUGINS / "gdexp_sweeper")
    script.write_text(text, encoding="utf-8")
    return script


def plugin(script: Path) -> Path:
    """The folder beside an application in which its packages are installed."""
    return script.parent / "installed"


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
    """Let a fork look as if it had been started by these words, and had no Hydra config yet."""
    HydraConfig.instance().cfg = None
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
    path = [str(Path(gdexp.__file__).parents[1]), str(plugin(script))]
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
