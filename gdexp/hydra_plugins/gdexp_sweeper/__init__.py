"""The Hydra plugin. Hydra imports it at every start of any application, so it imports little.

An editable install holds a copy of this file beside the other plugins, which later changes do not
reach: all is in `gdexp.hydra_plugins`, and what is called here keeps its name and arguments.
"""

from __future__ import annotations

from gdexp.hydra_plugins._config_nodes import store_nodes
from gdexp.hydra_plugins._old_package import is_alone
from gdexp.hydra_plugins._sweepers import *  # noqa: F403 (what Hydra may have)

store_nodes(aliases=is_alone())
