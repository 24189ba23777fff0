"""Jobs' configs are those that Hydra composes, whatever is swept and whatever changed meanwhile."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import run_job, setup_globals
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, ListConfig, Node, OmegaConf, open_dict
from omegaconf.base import Container

from gdexp.sweeper import composition_internals, config_sources_internals
from gdexp.sweeper.composition_internals import (
    SharingLoader,
    hydra_config,
    sharing_loader,
    task_config,
)

pytestmark = pytest.mark.slow


@dataclass
class Inner:
    a: int = 1
    b: str = "${w}"


@dataclass
class Typed:
    lr: float = 0.1
    name: str | None = None
    inner: Inner = field(default_factory=Inner)
    extra: dict[str, int] = field(default_factory=dict)


FILES = {
    "config": """
defaults:
  - base/typed
  - opt: sgd
  - opt@second: adam
  - db: one
  - optional missing: file
  - db/schema: ${db}_${opt}
  - _self_
  - override hydra/job_logging: disabled
w: 3
text: ${oc.env:GDEXP_TEST_TEXT,none}
list: [1, 2, {k: "${w}"}]
must: ???
made: ${twice:${w}}
where: {here: "${hydra:job.name}", up: "${..w}", sub: "${opt.lr}"}
hydra:
  sweep: {dir: "out/${w}"}
  job: {env_set: {GDEXP_TEST_SET: "1"}}
""",
    "opt/sgd": "# @package opt\nlr: 0.1\nmomentum: ${.lr}\nname: sgd\n",
    "opt/adam": "defaults: [/part@inner: b]\nlr: 0.01\nbetas: [0.9, 0.999]\nname: ${oc.env:HOME}\n",
    "part/a": "{p: 1}\n",
    "part/b": "{p: 2, q: '${.p}'}\n",
    "db/one": "# @package _global_\ndefaults: [/part: a]\ndb: {host: one}\nw: 4\n",
    "db/two": "defaults: [_self_, schema@deep.er: one_sgd]\nhost: two\n",
    "db/schema/one_sgd": "{s: 1}\n",
    "db/schema/one_adam": "{s: 2}\n",
    "db/schema/two_sgd": "{s: 3, t: '${db.host}'}\n",
    "db/schema/two_adam": "{s: 4}\n",
    "experiment/x": "# @package _global_\ndefaults: [{override /opt: adam}, {override /db: two}]\n"
    "opt: {lr: 5}\nw: 9\n",
    "late": "w: ${oc.env:GDEXP_TEST_TEXT,0}\nopt: {inner: {p: 8}}\n",
}

JOBS = [
    ["w=7"],
    ["w=8", "opt.lr=1e-3", "must=a b"],
    ["opt=adam"],
    ["opt=adam", "opt.inner.q=null"],
    ["opt=adam", "db=two", "opt@second=sgd", "second.lr=3"],
    ["+experiment=x", "w=1", "db.host='${w}'"],
    ["+part@here.there=b", "here.there.p=5"],
    ["~part"],
    ["~opt@second"],
    ["+new.key={a:1,b:[1,2]}", "++w=5", "list=[]"],
    ["~list", "+list.k=3"],
    ["typed={lr:3}", "typed.inner.a=2", "+typed.extra.k=1"],
    ["typed.name='${hydra:job.name}'", "text='a=b,c'"],
    ["hydra.job.name=other", "hydra.sweep.subdir='${hydra.job.num}'"],
    ["db={host:three}"],
    # What Hydra refuses.
    ["opt=none"],
    ["opt.typo=1"],
    ["typed.lr=text"],
    ["++opt=adam"],
    ["~text=other"],
    ["w=1,2"],
    ["other@w=1"],
]


class Composed:
    """The two loaders of one application."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.own = GlobalHydra.instance().config_loader()
        self.master = self.own.load_configuration(
            "config", ["hydra.verbose=false"], RunMode.MULTIRUN
        )
        self.sharing = sharing_loader(self.own)

    def agree(self, *overrides: str) -> object:
        """Compose a job by both; return what it is, or the error, after they agree."""
        found = [
            outcome(lambda loader=loader: loader.load_sweep_config(self.master, [*overrides]))
            for loader in (self.own, self.sharing)
        ]
        assert found[0] == found[1]
        return found[0]

    @property
    def kept(self) -> int:
        """How many compositions are kept."""
        assert isinstance(self.sharing, SharingLoader)
        assert self.sharing._shared is not None
        return len(self.sharing._shared.kept)

    def write(self, name: str, text: str) -> None:
        """Write a config file."""
        path = self.folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def composed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Composed]:
    # Files that were written just now are not trusted; these tests write theirs just now.
    monkeypatch.setattr(config_sources_internals, "SETTLED_NS", -(10**18))
    monkeypatch.setattr(ConfigStore.instance(), "repo", dict(ConfigStore.instance().repo))
    known = Singleton.get_state()
    ConfigStore.instance().store("typed", Typed, group="base", package="typed")
    OmegaConf.register_new_resolver("twice", lambda x: 2 * x, replace=True)
    for name, text in FILES.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with initialize_config_dir(str(tmp_path), version_base="1.3", job_name="app"):
        setup_globals()
        yield Composed(tmp_path)
    Singleton.set_state(known)
    OmegaConf.clear_resolver("twice")


def outcome(make: Callable[[], DictConfig]) -> object:
    """Everything that a config is, or its error."""
    try:
        return described(make())
    except Exception as error:
        return type(error), str(error)


def described(node: Node | None) -> Any:
    """Content, types and flags of a node and of all below it."""
    assert node is not None
    kept = {k: v for k, v in vars(node._metadata).items() if k not in ("resolver_cache", "key")}
    about = (kept, node._metadata.key, dict(node._metadata.flags or {}), type(node))
    content = node.__dict__.get("_content")
    if isinstance(node, DictConfig) and isinstance(content, Mapping):
        children = [(key, each) for key, each in content.items()]
    elif isinstance(node, ListConfig) and isinstance(content, list):
        children = list(enumerate(content))
    else:
        return about, node._value()
    assert all(each._get_parent() is node for _, each in children)
    return about, [(key, described(each)) for key, each in children]


def test_every_job_has_the_config_that_hydra_composes(composed: Composed) -> None:
    errors = 0
    for overrides in [*JOBS, *reversed(JOBS[:6])]:
        found = composed.agree(*overrides)
        errors += isinstance(found, tuple) and isinstance(found[0], type)
    assert errors == 7
    assert 6 < composed.kept < len(JOBS)
    # A third job of the same files gives what the first one gave, though the second was changed.
    spoiled = composed.sharing.load_sweep_config(composed.master, ["w=7"])
    with open_dict(spoiled):
        spoiled.opt.lr = spoiled.hydra.job.name = "spoiled"
        del spoiled.list
    composed.agree("w=7")


def test_what_changes_between_jobs_is_seen(
    composed: Composed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = [composed.agree("w=1"), composed.agree("w=1")]
    assert seen[0] == seen[1]

    def changed() -> None:
        before = seen[-1]
        seen.append(composed.agree("w=1"))
        assert seen[-1] != before
        assert composed.agree("w=1") == seen[-1]

    composed.write("opt/sgd", FILES["opt/sgd"].replace("0.1", "0.3"))
    changed()
    composed.write("missing/file", "{there: 1}\n")  # an optional one that was not there
    changed()
    (tmp_path / "missing" / "file.yaml").unlink()
    changed()
    ConfigStore.instance().store("typed", Typed(lr=0.7), group="base", package="typed")
    changed()
    monkeypatch.setenv("GDEXP_TEST_CHOICE", "a")
    chosen = "  - part@chosen: ${oc.env:GDEXP_TEST_CHOICE}\n  - _self_"
    composed.write("config", FILES["config"].replace("  - _self_", chosen))
    changed()
    monkeypatch.setenv("GDEXP_TEST_CHOICE", "b")
    changed()
    monkeypatch.chdir(tmp_path.parent)
    changed()
    (tmp_path / "w").mkdir()  # a value's key becomes a group's
    changed()


def test_a_config_that_depends_on_code_is_composed_each_time(composed: Composed) -> None:
    composed.agree("w=1")
    assert composed.kept == 1
    chosen = "  - part@chosen: ${choice:}\n  - _self_"
    composed.write("config", FILES["config"].replace("  - _self_", chosen))
    found = []
    for choice in "ab":
        OmegaConf.register_new_resolver("choice", lambda choice=choice: choice, replace=True)
        found.append(composed.agree("w=1"))
        assert composed.kept == 0
    assert found[0] != found[1]
    OmegaConf.clear_resolver("choice")


def test_files_written_just_now_are_read_again(
    composed: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_sources_internals, "SETTLED_NS", 10**18)
    composed.agree("w=1")
    assert composed.kept == 0


def test_the_function_gets_the_config_that_a_launcher_gives(composed: Composed) -> None:
    seen: list[Any] = []

    def task(config: DictConfig) -> None:
        part = described(OmegaConf.create({"hydra": HydraConfig.get()}))
        seen.append((described(config), part, config.where.here, HydraConfig.get().sweep.dir))
        config.w = 99
        seen[-1] = (*seen[-1], HydraConfig.get().sweep.dir)

    job = ["must=1", "hydra.output_subdir=null"]
    config = composed.sharing.load_sweep_config(composed.master, job)
    run_job(
        task_function=task,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key=None,
        hydra_context=HydraContext(composed.own, callbacks=_Callbacks()),
        configure_logging=False,
    )
    with hydra_config(config):
        task(task_config(config))
    for found, wanted in zip(seen[1], seen[0], strict=True):
        assert found == wanted
    assert "hydra" in config


class _Callbacks:
    def on_job_start(self, **given: Any) -> None:
        del given

    def on_job_end(self, **given: Any) -> None:
        del given


def test_hydra_has_the_parts_that_are_replaced() -> None:
    for name in (
        "_load_configuration_impl",
        "_parse_overrides_and_create_caching_repo",
        "_process_config_searchpath",
        "_compose_config_from_defaults_list",
    ):
        assert hasattr(ConfigLoaderImpl, name), f"Hydra's ConfigLoaderImpl has no {name}"
    source = inspect.getsource(ConfigLoaderImpl._load_configuration_impl)
    called = "create_defaults_list(\n            repo=caching_repo,\n"
    assert called in source, "Hydra's loader makes the defaults list in another way"
    assert [*inspect.signature(Container._evaluate_custom_resolver).parameters][3:5] == [
        "inter_type",
        "inter_args",
    ]


def test_another_hydra_uses_its_own_loader(
    composed: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composition_internals.hydra, "__version__", "1.4.0")
    assert sharing_loader(composed.own) is composed.own
