"""Reruns that prove themselves: a tracked run read as data, replayed and compared bit for bit.

`reference` reads a run or an exported folder and checks it against its manifest, `replay` makes
its descents again, `verdict` compares, `explain` says what could be the cause, `report` puts it
in words, and `export` writes the folder.
"""

from gdexp.reruns.export import folder_files, write_folder
from gdexp.reruns.find import check_own_keys, folder_reference, records, tracked
from gdexp.reruns.recording import Recorder
from gdexp.reruns.reference import Damaged, NoReference, Reference, of_run
from gdexp.reruns.replay import Rerun, prepared, replayed, replayed_all
from gdexp.reruns.report import Outcome, as_json, counts, exit_status, facts, facts_of_many, level
from gdexp.reruns.verdict import ACCEPTED

__all__ = [
    "ACCEPTED",
    "Damaged",
    "NoReference",
    "Outcome",
    "Recorder",
    "Reference",
    "Rerun",
    "as_json",
    "check_own_keys",
    "counts",
    "exit_status",
    "facts",
    "facts_of_many",
    "folder_files",
    "folder_reference",
    "level",
    "of_run",
    "prepared",
    "records",
    "replayed",
    "replayed_all",
    "tracked",
    "write_folder",
]
