"""Objects made from a composed config, the provenance of a run, and its figures."""

from gdexp.experiment import provenance
from gdexp.experiment.checkpoints import (
    CHANGEABLE,
    FOLDER,
    CheckpointSettings,
    RowKey,
    basis_difference,
    batch_checkpointing,
    checkpointing,
    has_same_config,
    kept_of,
    row_key,
    saved_rows,
)
from gdexp.experiment.descent_experiment import (
    EVALUATIONS_FILE,
    NORMS_FILE,
    DescentExperiment,
)
from gdexp.experiment.experiment import Experiment, Recorded, StoredFiles, trusted_paths
from gdexp.experiment.figures import left_out, pictures
from gdexp.experiment.loop_experiment import LoopExperiment
from gdexp.experiment.own_source import NUMERIC_SOURCE, source_state
from gdexp.experiment.programs import PROGRAM, program_digest
from gdexp.experiment.provenance import (
    ALONE,
    BATCH,
    DIFF,
    ENVIRONMENT,
    PROBLEM_SOURCE,
    SOURCE_TEXTS,
    USER_SOURCES,
    Settings,
    environment,
    problem_code,
    process_settings,
    provenance_files,
    recorded_code,
    user_codes,
)
from gdexp.experiment.repeatability import NONDETERMINISTIC_TAG, nondeterminism_warning
from gdexp.experiment.trained_experiment import TrainedExperiment
from gdexp.experiment.training_experiment import (
    LOOP,
    TRAINING,
    TRAININGS,
    TrainingExperiment,
    TrainingFacts,
)

__all__ = [
    "ALONE",
    "BATCH",
    "CHANGEABLE",
    "DIFF",
    "ENVIRONMENT",
    "EVALUATIONS_FILE",
    "FOLDER",
    "LOOP",
    "NONDETERMINISTIC_TAG",
    "NORMS_FILE",
    "NUMERIC_SOURCE",
    "PROBLEM_SOURCE",
    "PROGRAM",
    "SOURCE_TEXTS",
    "TRAINING",
    "TRAININGS",
    "USER_SOURCES",
    "CheckpointSettings",
    "DescentExperiment",
    "Experiment",
    "LoopExperiment",
    "Recorded",
    "RowKey",
    "Settings",
    "StoredFiles",
    "TrainedExperiment",
    "TrainingExperiment",
    "TrainingFacts",
    "basis_difference",
    "batch_checkpointing",
    "checkpointing",
    "environment",
    "has_same_config",
    "kept_of",
    "left_out",
    "nondeterminism_warning",
    "pictures",
    "problem_code",
    "process_settings",
    "program_digest",
    "provenance",
    "provenance_files",
    "recorded_code",
    "row_key",
    "saved_rows",
    "source_state",
    "trusted_paths",
    "user_codes",
]
