"""Every key of the sampler files of hydra-optuna-sweeper is taken, or named as one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdexp.core import BadInput
from gdexp.hydra_plugins._config_nodes import SAMPLERS
from gdexp.sweeper.samplers import read_sampler

PAGE = Path(__file__).parents[2] / "scripts/documentation/pages/how-to/hydra-applications.md"
OTHERS = {"mutation_prob": 0.2, "sigma0": 0.3, "x0": {"x": 1.0}}
"""Values of keys whose old default is null."""

KEYS = [
    (name, key)
    for name, given in SAMPLERS.items()
    for key in given
    if not key.startswith("_") and name != "motpe"
]


@pytest.mark.parametrize(("name", "key"), KEYS)
def test_a_key_that_is_not_at_its_old_default_is_used_or_named_on_the_page(
    name: str, key: str
) -> None:
    old = SAMPLERS[name][key]
    assert read_sampler(SAMPLERS[name]) == (name, 0)
    value = (not old) if isinstance(old, bool) else old * 2 if old else OTHERS.get(key, "other")
    options = {**SAMPLERS[name], key: value}
    (row,) = [line for line in PAGE.read_text().splitlines() if "keys of a sampler" in line]
    if f"`{key}`" in row:
        with pytest.raises(BadInput, match=f"sampler.{key}="):
            read_sampler(options)
        return
    # Nobody is warned of what gdexp decides itself.
    wanted = name if key == "warn_independent_sampling" else {"name": name, key: value}
    assert read_sampler(options) == (wanted, 0)
