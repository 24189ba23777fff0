"""Hydra finds the plugin in the wheel, and applications that do not use it pay for little."""

from __future__ import annotations

import copy
import json
import multiprocessing
import subprocess
import sys
import zipfile
from ast import literal_eval
from importlib import import_module
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

import gdexp
from gdexp.hydra_plugins import register
from gdexp.hydra_plugins._config_nodes import (
    KEYS,
    OWN_SWEEPER,
    SWEEPER,
    DeferredNode,
    store_nodes,
)
from gdexp.hydra_plugins._old_package import OLD_MODULE
from gdexp.sweeper.worker_task import usual_processes
from tests.support.commands import environment

APPLICATION = """
import json
import sys

import hydra
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper


@hydra.main(version_base="1.3", config_path=None)
def main(cfg):
    found = {each.__name__: each.__module__ for each in Plugins.instance().discover(Sweeper)}
    at = {name: getattr(sys.modules[path], "__file__", None) for name, path in found.items()}
    print(json.dumps([at, sorted(sys.modules)]))


main()
"""

LOADED = {
    "gdexp",
    "gdexp.hydra_plugins",
    "gdexp.hydra_plugins._config_nodes",
    "gdexp.hydra_plugins._old_package",
    "gdexp.hydra_plugins._sweepers",
    "gdexp.import_path",
    "gdexp.version",
}
"""The modules of gdexp that Hydra's search for plugins loads, beside the plugin's own."""


def python(*arguments: str, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with `path` as its PYTHONPATH, to its end without an error."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**environment(), "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_hydra_finds_the_plugin_in_the_wheel_and_loads_little_modules(
    wheel: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    # A file there would hide the plugins of all other packages.
    assert "hydra_plugins/__init__.py" not in names
    inside = [name for name in names if name.startswith("hydra_plugins/")]
    assert inside == ["hydra_plugins/gdexp_sweeper/__init__.py"]
    script = tmp_path / "other.py"
    script.write_text(APPLICATION)
    done = python(script.name, "-m", "hydra/sweeper=basic", "+x=1", cwd=tmp_path, path=site)
    assert done.stderr == ""
    at, modules = json.loads(done.stdout.splitlines()[-1])
    plugin = str(site / "hydra_plugins" / "gdexp_sweeper" / "__init__.py")
    assert at["GdexpSweeper"] == at["OwnSweeper"] == plugin
    assert "OptunaSweeper" in at
    assert {name for name in modules if name.partition(".")[0] == "gdexp"} == LOADED
    heavy = {"torch", "optuna", "mlflow", "numpy", "rich", "scipy", "pandas", "sqlalchemy"}
    assert not heavy & {name.partition(".")[0] for name in modules}


@pytest.mark.slow
def test_the_entry_points_are_classes_though_no_plugin_lies_in_a_folder(
    wheel: Path, tmp_path: Path
) -> None:
    # As Hydra 1.4 reads them: it takes concrete plugin classes alone.
    with zipfile.ZipFile(wheel) as archive:
        inside = [each for each in archive.namelist() if not each.startswith("hydra_plugins/")]
        archive.extractall(tmp_path, inside)
    code = """
import sys
from importlib.abc import MetaPathFinder
from importlib.metadata import distributions

import hydra.core.plugins


class Hidden(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "hydra_plugins":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hidden())
(own,) = [each for each in distributions(path=[sys.argv[1]]) if each.name == "gdexp"]
points = [each for each in own.entry_points if each.group == "hydra.plugins"]
found = [each.load() for each in points]
print([f"{each.__module__}.{each.__name__}" for each in found])
print([hydra.core.plugins._is_concrete_plugin_type(each) for each in found])
import hydra_plugins.gdexp_sweeper
import hydra_plugins.hydra_optuna_sweeper.optuna_sweeper as old
print([hydra_plugins.gdexp_sweeper.GdexpSweeper in found, old.OptunaSweeper in found])
"""
    done = python("-c", code, str(tmp_path), cwd=tmp_path, path=tmp_path)
    names, concrete, importable = map(literal_eval, done.stdout.splitlines())
    assert names == [
        "hydra_plugins.gdexp_sweeper.GdexpSweeper",
        "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper",
        "hydra_plugins.gdexp_sweeper.OwnSweeper",
    ]
    assert concrete == [True] * 3
    assert importable == [True, True]


@pytest.mark.parametrize("library", ["pickle", "cloudpickle"])
def test_a_job_that_has_looked_for_no_plugins_loads_those_of_its_launcher(
    tmp_path: Path, library: str
) -> None:
    from hydra.core.plugins import Plugins

    register()
    known = Plugins.instance().class_name_to_class
    ours = {name: known[name] for name in (SWEEPER, OWN_SWEEPER, f"{OLD_MODULE}.OptunaSweeper")}
    (tmp_path / "state").write_bytes(import_module(library).dumps(ours))
    code = "import pickle; print(sorted(pickle.load(open('state', 'rb'))))"
    done = python("-c", code, cwd=tmp_path, path=Path(gdexp.__file__).parents[1])
    assert literal_eval(done.stdout) == sorted(ours)


def test_a_job_of_joblib_starts_processes_as_any_other_does() -> None:
    import_module("joblib.externals.loky")  # it makes its start methods known
    usual = multiprocessing.get_all_start_methods()[0]
    before = multiprocessing.get_start_method(allow_none=True)
    try:
        multiprocessing.set_start_method("loky", force=True)
        with usual_processes():
            assert multiprocessing.get_start_method() == usual
        assert multiprocessing.get_start_method() == "loky"
    finally:
        multiprocessing.set_start_method(before, force=True)


def test_a_config_node_is_made_when_hydra_reads_it() -> None:
    store_nodes(aliases=False)
    store = ConfigStore.instance()
    kept = store.repo["hydra"]["sweeper"]["gdexp.yaml"]
    assert isinstance(kept, DeferredNode)
    assert copy.deepcopy(kept) is kept  # Hydra copies its store for each composition
    read = [store.load("hydra/sweeper/gdexp.yaml").node for _ in range(2)]
    assert read[0] is not read[1]
    for node in read:
        assert OmegaConf.is_config(node)
        assert {key: node[key] for key in KEYS} == KEYS
        node.n_trials = 3
        del node["params"]
    assert kept.node.n_trials == KEYS["n_trials"]
    assert store.load("hydra/sweeper/gdexp.yaml").node.n_trials == KEYS["n_trials"]
