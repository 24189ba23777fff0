"""The Optuna study: its storage, its lock, its trials, and recovery after a kill."""

from gdexp.sweeps.study.added_trials import check_added_trials
from gdexp.sweeps.study.attributes import (
    BASE,
    CODE,
    DEATHS,
    DEFINITION,
    FURTHER,
    NONDETERMINISTIC,
    PARENT,
    RACED,
    READINGS,
    TESTED,
    TOKEN,
    WORKER,
)
from gdexp.sweeps.study.deletion import DoomedStudy
from gdexp.sweeps.study.earlier_studies import continuing
from gdexp.sweeps.study.heartbeat import STOP_ATTRIBUTE, STOP_SIGNAL, Heartbeat, StartedBy
from gdexp.sweeps.study.lock import study_lock
from gdexp.sweeps.study.moved_study import continue_moved_study
from gdexp.sweeps.study.problem_records import record_of_problems
from gdexp.sweeps.study.recovery import end_running, find_sweep_run, recover_trials
from gdexp.sweeps.study.storage_checks import check_no_password, check_storage
from gdexp.sweeps.study.study import (
    claim_lock,
    completed_trials,
    create_trials,
    directions,
    grouped_writes,
    handed_over,
    load_study,
    no_waiting_trials,
    open_study,
    readable_study,
    recorded_trials,
    set_attributes,
    set_trial_attribute,
    tell,
    tell_all,
)
from gdexp.sweeps.study.study_code import StudyCode, had_other_code
from gdexp.sweeps.study.threshold_counts import Column, ThresholdCounts
from gdexp.sweeps.study.trial_record import (
    ADDED,
    RECORD,
    UNTRACKED,
    TrialRecord,
    is_added,
    readings_of,
)
from gdexp.sweeps.study.trial_rows import RUN_NAME, header_of, is_row
from gdexp.sweeps.study.trial_states import TrialStates
from gdexp.sweeps.study.worker_identity import WorkerIdentity
from gdexp.sweeps.study.worker_liveness import (
    GONE_AFTER_SECONDS,
    WorkerLiveness,
    wait_for_other_workers,
)

__all__ = [
    "ADDED",
    "BASE",
    "CODE",
    "DEATHS",
    "DEFINITION",
    "FURTHER",
    "GONE_AFTER_SECONDS",
    "NONDETERMINISTIC",
    "PARENT",
    "RACED",
    "READINGS",
    "RECORD",
    "RUN_NAME",
    "STOP_ATTRIBUTE",
    "STOP_SIGNAL",
    "TESTED",
    "TOKEN",
    "UNTRACKED",
    "WORKER",
    "Column",
    "DoomedStudy",
    "Heartbeat",
    "StartedBy",
    "StudyCode",
    "ThresholdCounts",
    "TrialRecord",
    "TrialStates",
    "WorkerIdentity",
    "WorkerLiveness",
    "check_added_trials",
    "check_no_password",
    "check_storage",
    "claim_lock",
    "completed_trials",
    "continue_moved_study",
    "continuing",
    "create_trials",
    "directions",
    "end_running",
    "find_sweep_run",
    "grouped_writes",
    "had_other_code",
    "handed_over",
    "header_of",
    "is_added",
    "is_row",
    "load_study",
    "no_waiting_trials",
    "open_study",
    "readable_study",
    "readings_of",
    "record_of_problems",
    "recorded_trials",
    "recover_trials",
    "set_attributes",
    "set_trial_attribute",
    "study_lock",
    "tell",
    "tell_all",
    "wait_for_other_workers",
]
