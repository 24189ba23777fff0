"""The private parts of Optuna that gdexp uses, and nothing else.

Optuna has no public way to the storage of a study, nor to the cache of its server storage, nor to
many changes of a journal at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gdexp.core import GdexpError

if TYPE_CHECKING:
    from numpy.random import RandomState
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Draft:
    """A trial that is to be created, running, with all its parameters.

    Attributes:
        params: values as a user of Optuna sees them.
        distributions: of the params.
        user_attrs: user attributes.
        system_attrs: system attributes.
    """

    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    user_attrs: Mapping[str, Any] = field(default_factory=dict)
    system_attrs: Mapping[str, Any] = field(default_factory=dict)


def storage_of(study: Study) -> BaseStorage:
    """Return the storage that a study was loaded from."""
    storage: BaseStorage = _private("optuna.Study", study, "_storage")
    return storage


def with_cache(storage: RDBStorage) -> BaseStorage:
    """Return the storage behind Optuna's cache, which reads a finished trial only once."""
    from optuna import storages

    cached: BaseStorage = _private("optuna.storages", storages, "_CachedStorage")(storage)
    return cached


def trial_id(trial: FrozenTrial) -> int:
    """Return the id by which a storage knows a trial."""
    return int(_private("optuna.FrozenTrial", trial, "_trial_id"))


def transform_of(name: str, range_: BaseDistribution) -> Any:  # noqa: ANN401
    """Return what Optuna's random sampler turns uniform numbers into values of a range with."""
    from optuna import _transform

    return _private("optuna._transform", _transform, "_SearchSpaceTransform")({name: range_})


def drawn_value(transform: Any, random: RandomState) -> Any:  # noqa: ANN401
    """Draw a value as Optuna's random sampler draws it."""
    bounds = transform.bounds
    (value,) = transform.untransform(random.uniform(bounds[:, 0], bounds[:, 1])).values()
    return value


def journal_creation(
    study_id: int, draft: Draft, encoded: Mapping[str, str], now: str
) -> dict[str, Any]:
    """Return the change of a journal that creates a running trial, as Optuna writes it.

    Args:
        study_id: of the study.
        draft: the trial.
        encoded: its ranges as Optuna writes them.
        now: the time, as Optuna writes it.
    """
    return {
        **_change("CREATE_TRIAL"),
        "study_id": study_id,
        "datetime_start": now,
        "state": _RUNNING,
        "value": None,
        "values": None,
        "distributions": {name: encoded[name] for name in draft.params},
        "params": {
            name: draft.distributions[name].to_internal_repr(value)
            for name, value in draft.params.items()
        },
        "user_attrs": draft.user_attrs,
        "system_attrs": draft.system_attrs,
        "intermediate_values": {},
    }


def journal_attribute(trial: int, key: str, value: object) -> dict[str, Any]:
    """Return the change of a journal that sets a user attribute of a trial."""
    return {**_change("SET_TRIAL_USER_ATTR"), "trial_id": trial, "user_attr": {key: value}}


def journal_end(trial: int, state: int, values: list[float] | None, now: str) -> dict[str, Any]:
    """Return the change of a journal that ends a trial.

    Args:
        trial: its id.
        state: COMPLETE or FAIL, as Optuna numbers them.
        values: of a complete trial.
        now: the time, as Optuna writes it.
    """
    return {
        **_change("SET_TRIAL_STATE_VALUES"),
        "trial_id": trial,
        "state": state,
        "values": values,
        "datetime_complete": now,
    }


_RUNNING = 0


def _change(name: str) -> dict[str, Any]:
    """Return how a change begins: its kind, and who writes it."""
    from optuna.storages.journal import _storage

    kinds = _private("optuna.storages.journal._storage", _storage, "JournalOperation")
    return {"op_code": int(kinds[name]), "worker_id": f"gdexp-{os.getpid()}"}


def _private(owner_name: str, owner: object, name: str) -> Any:  # noqa: ANN401
    import optuna

    try:
        return getattr(owner, name)
    except AttributeError:
        raise GdexpError(
            f"optuna {optuna.__version__} has no {owner_name}.{name}, which gdexp needs; "
            "install optuna 5.0"
        ) from None
