"""Objects made from a composed config, the provenance of a run, and its figures."""

from gdexp.experiment import provenance
from gdexp.experiment.experiment import Experiment, trusted_paths
from gdexp.experiment.figures import left_out, pictures
from gdexp.experiment.provenance import (
    ALONE,
    BATCH,
    DIFF,
    ENVIRONMENT,
    NUMERIC_SOURCE,
    PROBLEM_SOURCE,
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
    "Experiment",
    "environment",
    "left_out",
    "pictures",
    "provenance",
    "provenance_files",
    "source_state",
    "trusted_paths",
]
