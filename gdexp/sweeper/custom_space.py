"""`hydra.sweeper.custom_search_space`: a function of the user's own that suggests parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gdexp.core import BadInput, GdexpError, WorkEnded, described_error, error_text, guarded
from gdexp.sweeper.job_space import Suggest

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig
    from optuna import Trial

WHERE = "hydra.sweeper.custom_search_space"


def suggestions(path: str, composed: DictConfig, fixed: Mapping[str, Override]) -> Suggest:
    """Return what lets a trial suggest further parameters.

    The function is called as `function(config, trial)` after the parameters of the space are
    chosen. The values that every job has are user attributes of the trial.

    Args:
        path: the import path of the function.
        composed: the config as Hydra composed it.
        fixed: the overrides that every job has, by name.

    Raises:
        BadInput: there is no such function.
    """
    from hydra.utils import get_method

    try:
        function: Any = get_method(path)
    except WorkEnded:
        raise
    except BaseException as error:  # Hydra's, of many types, and the user's own
        reason = " ".join(error_text(error).split())
        raise BadInput(WHERE, path, f"must name a function: {reason}") from None
    values = {name: each.get_value_element_as_str() for name, each in fixed.items()}

    def suggest(trial: Trial) -> None:
        """Call the function, and add the values that the command line fixes."""
        for name, value in values.items():
            if name not in trial.user_attrs:
                trial.set_user_attr(name, value)
        try:
            with guarded():
                function(composed, trial)
        except WorkEnded:
            raise
        except BaseException as error:
            raise GdexpError(
                f"{WHERE}={path}: its code failed: {described_error(error)}"
            ) from error
        both = sorted(set(values) & set(trial.params))
        if both:
            raise BadInput(both[0], values[both[0]], f"is also suggested by {path}; leave out one")

    return suggest
