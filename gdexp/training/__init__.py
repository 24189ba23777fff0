"""Trainings: mini-batches, metrics, checkpoints and foreign loops."""

from gdexp.training.by_path import TrainingClass
from gdexp.training.checkpointing import Checkpointing
from gdexp.training.loop import ALL, Kept, TrainingLoop
from gdexp.training.metrics import MetricTrace, Readings
from gdexp.training.record_files import (
    TENSORS,
    TRACES,
    metric_numbers_of,
    model_files,
    record_files,
)
from gdexp.training.result import TrainingResult
from gdexp.training.training import Training
from gdexp.training.updates import Updates, UpdateSettings

__all__ = [
    "ALL",
    "TENSORS",
    "TRACES",
    "Checkpointing",
    "Kept",
    "MetricTrace",
    "Readings",
    "Training",
    "TrainingClass",
    "TrainingLoop",
    "TrainingResult",
    "UpdateSettings",
    "Updates",
    "metric_numbers_of",
    "model_files",
    "record_files",
]
