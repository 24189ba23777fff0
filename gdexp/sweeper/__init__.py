"""The sweeper of any Hydra application: `hydra/sweeper=gdexp`.

The names are loaded on first use: Hydra makes its sweeper before it is known what a command does.
"""

from typing import TYPE_CHECKING

from gdexp.core import lazy_names

if TYPE_CHECKING:
    from gdexp.sweeper.hydra_sweep import HydraSweep as HydraSweep
    from gdexp.sweeper.own_sweep import OwnSweep as OwnSweep
    from gdexp.sweeper.settings import SweeperSettings as SweeperSettings

__all__ = ["HydraSweep", "OwnSweep", "SweeperSettings"]

__getattr__ = lazy_names(
    __name__,
    {"HydraSweep": "hydra_sweep", "OwnSweep": "own_sweep", "SweeperSettings": "settings"},
)
