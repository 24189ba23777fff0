"""Objects made from a composed config, the provenance of a run, and its figures."""

from gdexp.experiment import provenance
from gdexp.experiment.experiment import Experiment, trusted_paths
from gdexp.experiment.figures import pictures
from gdexp.experiment.provenance import (
    ALONE,
    BATCH,
    DIFF,
    ENVIRONMENT,
    NUMERIC_SOURCE,
    PROBLEM_SOURCE,
    SOURCE_TEXTS,
    environment,
    provenance_files,
    source_state,
)

__all__ = [
    "ALONE",
    "BATCH",
    "DIFF",
    "ENVIRONMENT",
    "NUMERIC_SOURCE",
    "PROBLEM_SOURCE",
    "SOURCE_TEXTS",
    "Experiment",
    "environment",
    "pictures",
    "provenance",
    "provenance_files",
    "source_state",
    "trusted_paths",
]
