"""Reruns that prove themselves: a tracked run read as data, replayed and compared bit for bit.

`reference` reads a run or an exported folder and checks it against its manifest, `replay` makes
its descents again, `verdict` compares, `explain` says what could be the cause, `report` puts it
in words, and `export` writes the folder.
"""

from gdexp.reruns.export_folder import folder_files, write_folder
from gdexp.reruns.reference import DamagedReference, NoReference, Reference, reference_of_run
from gdexp.reruns.replay import Rerun, build_experiment, replay_descent, replay_descents
from gdexp.reruns.report import (
    Outcome,
    common_exit_status,
    outcome_json,
    outcome_level,
    rerun_facts,
    summary_facts,
    verdict_counts,
)
from gdexp.reruns.rerun_recorder import RerunRecorder
from gdexp.reruns.run_selection import check_overrides, load_folder, load_references, select_runs
from gdexp.reruns.verdict import ACCEPTABLE_LEVELS

__all__ = [
    "ACCEPTABLE_LEVELS",
    "DamagedReference",
    "NoReference",
    "Outcome",
    "Reference",
    "Rerun",
    "RerunRecorder",
    "build_experiment",
    "check_overrides",
    "common_exit_status",
    "folder_files",
    "load_folder",
    "load_references",
    "outcome_json",
    "outcome_level",
    "reference_of_run",
    "replay_descent",
    "replay_descents",
    "rerun_facts",
    "select_runs",
    "summary_facts",
    "verdict_counts",
    "write_folder",
]
