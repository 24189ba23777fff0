"""Tracked runs read back as typed objects; their arrays only when they are asked for."""

from gdexp.runs.collection import Runs, foremost, rank
from gdexp.runs.files import Unreadable
from gdexp.runs.load import Deleted, Shelf, load_runs
from gdexp.runs.parquet_runs import CHILDREN
from gdexp.runs.run import SEED, TrackedRun, value_of
from gdexp.runs.safe_yaml import MAX_CONFIG, parse_config
from gdexp.runs.stored_config import check_stored, printable, stored_experiment

__all__ = [
    "CHILDREN",
    "MAX_CONFIG",
    "SEED",
    "Deleted",
    "Runs",
    "Shelf",
    "TrackedRun",
    "Unreadable",
    "check_stored",
    "foremost",
    "load_runs",
    "parse_config",
    "printable",
    "rank",
    "stored_experiment",
    "value_of",
]
