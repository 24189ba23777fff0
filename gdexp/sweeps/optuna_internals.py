"""The private parts of Optuna that gdexp uses, and nothing else.

Optuna has no public way to the storage of a study, nor to the cache of its server storage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdexp.core import GdexpError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage, RDBStorage


def storage_of(study: Study) -> BaseStorage:
    """Return the storage that a study was loaded from."""
    storage: BaseStorage = _private("optuna.Study", study, "_storage")
    return storage


def with_cache(storage: RDBStorage) -> BaseStorage:
    """Return the storage behind Optuna's cache, which reads a finished trial only once."""
    from optuna import storages

    cached: BaseStorage = _private("optuna.storages", storages, "_CachedStorage")(storage)
    return cached


def _private(owner_name: str, owner: object, name: str) -> Any:  # noqa: ANN401
    import optuna

    try:
        return getattr(owner, name)
    except AttributeError:
        raise GdexpError(
            f"optuna {optuna.__version__} has no {owner_name}.{name}, which gdexp needs; "
            "install optuna 5.0"
        ) from None
