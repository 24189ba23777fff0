"""The Optuna study: its storage, its lock, its trials, and recovery after a kill."""

from gdexp.sweeps.study.heartbeat import (
    GONE_AFTER_SECONDS,
    STOP,
    STOPPED,
    Heartbeat,
    Identity,
    Place,
    Watch,
    wait_for_others,
)
from gdexp.sweeps.study.lock import check_open, check_storage, held
from gdexp.sweeps.study.recovery import begun, settle
from gdexp.sweeps.study.rows import RUN_NAME, header_of, is_row
from gdexp.sweeps.study.study import (
    BASE,
    DEFINITION,
    PARENT,
    TOKEN,
    WORKER,
    claiming,
    finished,
    load_study,
    nothing_waits,
    open_study,
    reported,
    tell,
    together,
)
from gdexp.sweeps.study.trial_record import RECORD, TrialRecord
from gdexp.sweeps.study.trial_states import Overview

__all__ = [
    "BASE",
    "DEFINITION",
    "GONE_AFTER_SECONDS",
    "PARENT",
    "RECORD",
    "RUN_NAME",
    "STOP",
    "STOPPED",
    "TOKEN",
    "WORKER",
    "Heartbeat",
    "Identity",
    "Overview",
    "Place",
    "TrialRecord",
    "Watch",
    "begun",
    "check_open",
    "check_storage",
    "claiming",
    "finished",
    "header_of",
    "held",
    "is_row",
    "load_study",
    "nothing_waits",
    "open_study",
    "reported",
    "settle",
    "tell",
    "together",
    "wait_for_others",
]
