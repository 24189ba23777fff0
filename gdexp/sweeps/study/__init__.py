"""The Optuna study: its storage, its lock, its trials, and recovery after a kill."""

from gdexp.sweeps.study.heartbeat import (
    GONE_AFTER_SECONDS,
    STOP_ATTRIBUTE,
    STOP_SIGNAL,
    Heartbeat,
    StartedBy,
    WorkerIdentity,
    WorkerLiveness,
    wait_for_other_workers,
)
from gdexp.sweeps.study.lock import check_no_password, check_storage, study_lock
from gdexp.sweeps.study.recovery import find_sweep_run, recover_trials
from gdexp.sweeps.study.rows import RUN_NAME, is_row, opening_of
from gdexp.sweeps.study.study import (
    BASE,
    DEFINITION,
    PARENT,
    TOKEN,
    WORKER,
    as_storage_failed,
    claim_lock,
    completed_trials,
    grouped_writes,
    load_study,
    no_waiting_trials,
    open_study,
    tell,
)
from gdexp.sweeps.study.trial_record import RECORD, TrialRecord
from gdexp.sweeps.study.trial_states import TrialStates

__all__ = [
    "BASE",
    "DEFINITION",
    "GONE_AFTER_SECONDS",
    "PARENT",
    "RECORD",
    "RUN_NAME",
    "STOP_ATTRIBUTE",
    "STOP_SIGNAL",
    "TOKEN",
    "WORKER",
    "Heartbeat",
    "StartedBy",
    "TrialRecord",
    "TrialStates",
    "WorkerIdentity",
    "WorkerLiveness",
    "as_storage_failed",
    "check_no_password",
    "check_storage",
    "claim_lock",
    "completed_trials",
    "find_sweep_run",
    "grouped_writes",
    "is_row",
    "load_study",
    "no_waiting_trials",
    "open_study",
    "opening_of",
    "recover_trials",
    "study_lock",
    "tell",
    "wait_for_other_workers",
]
