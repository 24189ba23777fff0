"""Tracked runs as typed objects; the files of a run are read when they are first used."""

from gdexp.runs.artifact_reader import UnreadableRun
from gdexp.runs.manifest import MOST_JSON, parse_manifest, size_limit
from gdexp.runs.resumed_settings import RESUMED_TAG, first_settings, last_settings, resumed_text
from gdexp.runs.run_list import (
    ASCENDING,
    BEST_FIRST_TAG,
    DESCENDING,
    Runs,
    best_runs,
    rank_key,
)
from gdexp.runs.run_loader import RunLoader, load_runs
from gdexp.runs.run_search import DeletedRun
from gdexp.runs.safe_yaml import parse_config
from gdexp.runs.shard_runs import CHILDREN_TAG
from gdexp.runs.stored_config import check_stored_config, stored_experiment
from gdexp.runs.stored_programs import program_bytes
from gdexp.runs.stored_texts import PARAMS_TAG, param_value
from gdexp.runs.tracked_run import SEED_PARAM, TrackedRun

__all__ = [
    "ASCENDING",
    "BEST_FIRST_TAG",
    "CHILDREN_TAG",
    "DESCENDING",
    "MOST_JSON",
    "PARAMS_TAG",
    "RESUMED_TAG",
    "SEED_PARAM",
    "DeletedRun",
    "RunLoader",
    "Runs",
    "TrackedRun",
    "UnreadableRun",
    "best_runs",
    "check_stored_config",
    "first_settings",
    "last_settings",
    "load_runs",
    "param_value",
    "parse_config",
    "parse_manifest",
    "program_bytes",
    "rank_key",
    "resumed_text",
    "size_limit",
    "stored_experiment",
]
