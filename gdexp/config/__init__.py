"""The config: arguments, composition by Hydra, checks, and objects made from it."""

from gdexp.config import env_secrets, hydra_internals
from gdexp.config.arguments import (
    asks_for_json,
    config_dirs,
    only_shows,
    rewrite,
    typed_command,
)
from gdexp.config.composed import check_keys, parse_overrides, plain, shipped, typed_overrides
from gdexp.config.config_files import checked_config_files
from gdexp.config.construct import choose, construct
from gdexp.config.env_secrets import check_secrets
from gdexp.config.hydra_errors import as_gdexp_error
from gdexp.config.hydra_internals import BASIC_LAUNCHER
from gdexp.config.identity import (
    ARITHMETIC,
    NUMERICS,
    PORTABLE,
    SCHEMA,
    config_signature,
    digest,
    outcome,
    signature,
    without_earlier_meaning,
)
from gdexp.config.import_paths import (
    APPLICATION,
    import_paths,
    optimizer_paths,
    why_not_rerunnable,
)
from gdexp.config.keys import ADDED_KEYS, COMMANDS, FREE, OUTCOME_KEYS, Config
from gdexp.config.nested import flatten, has, lookup, with_group, with_values
from gdexp.config.overrides import literal, overrides, shipped_values, shortest_command

__all__ = [
    "ADDED_KEYS",
    "APPLICATION",
    "ARITHMETIC",
    "BASIC_LAUNCHER",
    "COMMANDS",
    "FREE",
    "NUMERICS",
    "OUTCOME_KEYS",
    "PORTABLE",
    "SCHEMA",
    "Config",
    "as_gdexp_error",
    "asks_for_json",
    "check_keys",
    "check_secrets",
    "checked_config_files",
    "choose",
    "config_dirs",
    "config_signature",
    "construct",
    "digest",
    "env_secrets",
    "flatten",
    "has",
    "hydra_internals",
    "import_paths",
    "literal",
    "lookup",
    "only_shows",
    "optimizer_paths",
    "outcome",
    "overrides",
    "parse_overrides",
    "plain",
    "rewrite",
    "shipped",
    "shipped_values",
    "shortest_command",
    "signature",
    "typed_command",
    "typed_overrides",
    "why_not_rerunnable",
    "with_group",
    "with_values",
    "without_earlier_meaning",
]
