"""Hydra's composition, with the part that many jobs share done once.

Hydra composes the config of each job from its files. All but the values of a job's overrides is the
same for jobs that choose the same files of config groups, so it is copied while nothing that it was
made from has changed. Hydra's own code does the rest, errors included. This needs private parts of
Hydra 1.3; with another version its own loader is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import TYPE_CHECKING, Any

import hydra
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides, create_defaults_list
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from gdexp.sweeper.config_sources_internals import Sources, resolvers_noted

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.core.default_element import ResultDefault
    from hydra.core.override_parser.types import Override
    from hydra.plugins.config_source import ConfigSource

HYDRA = "1.3."
"""The version of Hydra whose private parts these are."""

MOST_KEPT = 64
"""Compositions that are kept: one for each choice of files."""


def sharing_loader(loader: ConfigLoader) -> ConfigLoader:
    """Return a loader that composes the same configs faster, where that is possible.

    Args:
        loader: Hydra's.
    """
    own = type(loader) is ConfigLoaderImpl and hydra.__version__.startswith(HYDRA)
    return SharingLoader(loader) if own else loader


class WatchedSources(ConfigRepository):
    """The sources of a loader, which note what is asked of them."""

    def __init__(self, sources: ConfigRepository, seen: Sources) -> None:
        self.sources = list(sources.sources)
        self._seen = seen

    def _find_object_source(
        self, config_path: str, object_type: ObjectType | None
    ) -> ConfigSource | None:
        for source in self.sources:
            self._seen.note(source, config_path, object_type)
        return super()._find_object_source(config_path, object_type)


class JobRepository(CachingConfigRepository):
    """The configs that one composition reads.

    Hydra copies the sources, and with them the whole config store, which takes longer than all
    that is done here for a job. They have nothing that changes.
    """

    def __init__(self, delegate: WatchedSources) -> None:
        self.delegate = delegate
        self.cache = {}


@dataclass(frozen=True)
class Kept:
    """A composition before the overrides of values.

    Attributes:
        chosen: the files, and the choice of each group.
        config: as the files give it.
    """

    chosen: DefaultsList
    config: DictConfig


@dataclass
class Shared:
    """What the jobs of a sweep share.

    Attributes:
        place: the name of the config, the overrides of the search path, and the version whose
            behaviour is asked for.
        seen: what it was made from.
        sources: with the search path of the config.
        kept: the compositions, by the overrides that choose files.
    """

    place: tuple[Any, ...]
    seen: Sources
    sources: WatchedSources
    kept: dict[tuple[str, ...], Kept] = field(default_factory=dict)


class SharingLoader(ConfigLoaderImpl):
    """Composes what Hydra's own loader does.

    Args:
        loader: Hydra's.
    """

    def __init__(self, loader: Any) -> None:  # noqa: ANN401 (its class is private)
        self.config_search_path: ConfigSearchPath = loader.config_search_path
        self.repository = loader.repository
        self._shared: Shared | None = None
        self._key: tuple[str, ...] = ()
        self._chosen: DefaultsList | None = None

    def _load_configuration_impl(self, *given: Any, **named: Any) -> DictConfig:  # noqa: ANN401
        load: Any = _with_defaults_list(self._defaults_list)
        composed: DictConfig = load(self, *given, **named)
        return composed

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        parsed = OverridesParser.create().parse_overrides(overrides=overrides)
        searched = [e.input_line for e in parsed if e.key_or_group == "hydra.searchpath"]
        place = (config_name, *searched, version.getbase())
        shared = self._shared
        if shared is None or shared.place != place or not shared.seen.hold:
            seen = Sources()
            shared = Shared(place, seen, WatchedSources(self.repository, seen))
            with resolvers_noted(seen):
                repository = JobRepository(shared.sources)
                self._process_config_searchpath(config_name, parsed, repository)
            self._shared = shared
        return parsed, JobRepository(shared.sources)

    def _defaults_list(self, **given: Any) -> DefaultsList:  # noqa: ANN401 (Hydra's own)
        """Return Hydra's list of the files of a config, with the overrides of values."""
        assert self._shared is not None, "the overrides are read first"
        values = Overrides(given["repo"], given["overrides_list"]).config_overrides
        choices = [each for each in given["overrides_list"] if not any(each is v for v in values)]
        self._key = (str(given["skip_missing"]), *(str(each.input_line) for each in choices))
        if self._key in self._shared.kept:
            return replace(self._shared.kept[self._key].chosen, config_overrides=values)
        with resolvers_noted(self._shared.seen):
            self._chosen = create_defaults_list(**given)
        return self._chosen

    def _compose_config_from_defaults_list(
        self,
        defaults: list[ResultDefault],
        repo: Any,  # noqa: ANN401 (its class is private)
    ) -> DictConfig:
        assert self._shared is not None, "the overrides are read first"
        assert self._chosen is not None, "the first config is composed from its files"
        seen, kept = self._shared.seen, self._shared.kept
        if self._key in kept:
            return deepcopy(kept[self._key].config)
        # Files are merged by whether a value is a mapping: Hydra's time is always a text.
        with resolvers_noted(seen, but="now"):
            composed: DictConfig = super()._compose_config_from_defaults_list(defaults, repo)
        if seen.known and seen.settled:
            if len(kept) >= MOST_KEPT:
                kept.pop(next(iter(kept)))
            kept[self._key] = Kept(self._chosen, deepcopy(composed))
            OmegaConf.clear_cache(kept[self._key].config)
        return composed


def _with_defaults_list(make: Any) -> FunctionType:  # noqa: ANN401 (a function like Hydra's)
    """Return Hydra's method, which calls another function in place of `create_defaults_list`."""
    own: Any = ConfigLoaderImpl._load_configuration_impl
    known = {**own.__globals__, create_defaults_list.__name__: make}
    return FunctionType(own.__code__, known, own.__name__, own.__defaults__, own.__closure__)


def task_config(config: DictConfig) -> DictConfig:
    """Return the copy of a job's config that its function gets, as `hydra.core.utils.run_job` does.

    Args:
        config: as composed; it stays as it is.
    """
    content = config.__dict__["_content"]
    hydra_node = content.pop("hydra")
    try:
        return deepcopy(config)
    finally:
        content["hydra"] = hydra_node


@contextmanager
def hydra_config(config: DictConfig) -> Iterator[DictConfig]:
    """Let `HydraConfig.get()` be the part `hydra` of a config, as `HydraConfig.set_config` does.

    That one copies it first, which takes longer than all else that is done for a short job.

    Args:
        config: of a job, whose part `hydra` nobody else changes.
    """
    OmegaConf.set_readonly(config.hydra, True)
    seen = OmegaConf.create()
    seen.__dict__["_content"] = {"hydra": config.hydra}  # whose parent stays the whole config
    instance = HydraConfig.instance()
    before, instance.cfg = instance.cfg, seen  # type: ignore[assignment]
    try:
        yield seen
    finally:
        instance.cfg = before
