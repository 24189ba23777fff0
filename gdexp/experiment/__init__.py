"""A composed config made into objects, where and how it was run, and its figures."""

from gdexp.experiment import provenance
from gdexp.experiment.experiment import Experiment, typed_here
from gdexp.experiment.figures import pictures
from gdexp.experiment.provenance import (
    ALONE,
    BATCH,
    DIFF,
    ENVIRONMENT,
    NUMERIC_SOURCE,
    PROBLEM_SOURCE,
    captured,
    environment,
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
    "captured",
    "environment",
    "pictures",
    "provenance",
    "source_state",
    "typed_here",
]
