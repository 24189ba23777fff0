"""The config: what was typed and composed, checked, and turned into objects."""

from gdexp.config import env_secrets
from gdexp.config.arguments import config_dirs, rewrite, shows
from gdexp.config.composed import check_given, check_keys, plain, shipped, typed
from gdexp.config.construct import choose, construct
from gdexp.config.env_secrets import check_secrets
from gdexp.config.hydra_errors import explained
from gdexp.config.identity import digest, outcome, signature
from gdexp.config.keys import OUTCOME_KEYS, Config
from gdexp.config.nested import flatten, has, lookup, with_group, with_values
from gdexp.config.overrides import literal, overrides, shortest_command

__all__ = [
    "OUTCOME_KEYS",
    "Config",
    "check_given",
    "check_keys",
    "check_secrets",
    "choose",
    "config_dirs",
    "construct",
    "digest",
    "env_secrets",
    "explained",
    "flatten",
    "has",
    "literal",
    "lookup",
    "outcome",
    "overrides",
    "plain",
    "rewrite",
    "shipped",
    "shortest_command",
    "shows",
    "signature",
    "typed",
    "with_group",
    "with_values",
]
