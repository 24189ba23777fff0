"""Reruns: a tracked run is read as untrusted data, replayed and compared bit for bit.

`run_selection` finds the runs, `reference_reader` reads the record of one and checks it against
its manifest, `programs` chooses what a portable descent computes, `replay` repeats the descent,
`verdict` compares the two, `causes` lists what could explain a difference, `report` formats the
outcome, `rerun_recorder` writes it to MLflow, and `export_folder` writes and reads exports.
"""

from gdexp.reruns.export_folder import check_free, folder_files, write_folder
from gdexp.reruns.reference import DamagedReference, NoReference, Reference
from gdexp.reruns.reference_reader import reference_of_run
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
from gdexp.reruns.rerun_recorder import RerunRecorder, end_killed_reruns
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
    "check_free",
    "check_overrides",
    "common_exit_status",
    "end_killed_reruns",
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
