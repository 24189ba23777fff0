"""What all experiments share whose run makes its own model: a training, a loop, a job."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import torch

from gdexp.descent import Monitor, Result, Status, Watch
from gdexp.engine import StoredPlan
from gdexp.experiment.experiment import Experiment, Recorded, StoredFiles, descent_metrics
from gdexp.training import (
    TENSORS,
    TRACES,
    TrainingResult,
    metric_numbers_of,
    model_files,
    record_files,
)


@dataclass(frozen=True)
class TrainedExperiment(Experiment, names=()):
    """An experiment with readings of metrics, whose start only the run makes."""

    def rerun(
        self, initial: torch.Tensor, watch: Watch | None = None, monitor: Monitor | None = None
    ) -> Result:
        """Run it again, from the same seed; see `Experiment`."""
        return self.run(watch, monitor)

    def start(self) -> None:
        """Return None: the run makes the model."""
        return

    def recorded(self, result: Result) -> Recorded:
        """Return what a record holds of a result; see `Experiment`."""
        assert isinstance(result, TrainingResult), "what `run` returns"
        found = record_files(result)
        return Recorded(
            metrics={
                **descent_metrics(result, self.stopping.continue_to is not None),
                **metric_numbers_of(result),
            },
            arrays=found.arrays,
            texts={TENSORS: found.facts},
            curves=result.readings,
            blobs=model_files(result),
        )

    def stored_result(
        self, status: Status, stored: StoredFiles, program: StoredPlan | None = None
    ) -> Result:
        """Return the result that the files of a recorded run hold; see `Experiment`."""
        known = json.loads(stored.texts[TENSORS])
        empty = np.empty(0)
        initial, final = (stored.arrays.get(f"{each}.npy", empty) for each in ("initial", "final"))
        metrics = known["metrics"]
        return TrainingResult(
            status=status,
            trace=stored.arrays["trace.npy"],
            initial=torch.from_numpy(initial).to(self.dtype),
            final=torch.from_numpy(final).to(self.dtype),
            rule=self.rule,
            stopping=self.stopping,
            problem=self.problem.name,
            updates_made=known["updates"],
            epochs=known["epochs"],
            readings={n: stored.arrays[f"{TRACES}/{file}.npy"] for n, file in metrics.items()},
            modes=known["modes"],
            digests={each: known[each] for each in ("initial", "final")},
            parts={name: tuple(shape) for name, shape in known["parts"].items()},
        )

    @property
    def facts_file(self) -> str:
        """The file of a record that says more of the result."""
        return TENSORS
