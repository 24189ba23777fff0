"""Trainings: mini-batches, metrics, checkpoints and foreign loops."""

from gdexp.training.by_path import LoopFunction, TrainingClass
from gdexp.training.checkpoint import Checkpoint
from gdexp.training.kept_weights import ALL, Kept
from gdexp.training.loop import TrainingLoop
from gdexp.training.metrics import MetricTrace, Readings
from gdexp.training.own_loop import OwnLoop
from gdexp.training.record_files import (
    TENSORS,
    TRACES,
    metric_numbers_of,
    model_files,
    record_files,
)
from gdexp.training.reports import Stopped, report
from gdexp.training.result import TrainingResult
from gdexp.training.training import Training
from gdexp.training.updates import Updates, UpdateSettings

__all__ = [
    "ALL",
    "TENSORS",
    "TRACES",
    "Checkpoint",
    "Kept",
    "LoopFunction",
    "MetricTrace",
    "OwnLoop",
    "Readings",
    "Stopped",
    "Training",
    "TrainingClass",
    "TrainingLoop",
    "TrainingResult",
    "UpdateSettings",
    "Updates",
    "metric_numbers_of",
    "model_files",
    "record_files",
    "report",
]
