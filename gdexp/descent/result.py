"""What a descent leaves behind: one typed object that explains itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from gdexp.core import format_count, gap_name
from gdexp.descent.stopping import Status, Stopping, Trace, first_hit, hitting_time, projected_time
from gdexp.optimizers import UpdateRule


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of one descent.

    Attributes:
        status: why it ended.
        trace: the loss at iterations 0, 1, …, n; float64, shape (n + 1,). A float32 loss is
            held exactly.
        initial: x at iteration 0, on the CPU.
        final: x at the last iteration, on the CPU.
        rule: the update rule with its hyperparameters.
        stopping: threshold, max_iterations and cap.
        f_star: what the threshold was measured from.
        problem: the problem's name.
        period: of a stalled descent, after how many iterations its state repeats.
        seconds: wall time of the loop.
    """

    status: Status
    trace: Trace
    initial: torch.Tensor
    final: torch.Tensor
    rule: UpdateRule
    stopping: Stopping
    f_star: float = 0.0
    problem: str = ""
    period: int | None = None
    seconds: float = 0.0

    @property
    def iterations(self) -> int:
        """Updates made until the descent ended."""
        return len(self.trace) - 1

    @property
    def converged(self) -> bool:
        """Whether the threshold was reached."""
        return self.status is Status.CONVERGED

    @cached_property
    def hitting_time(self) -> float:
        """The hitting time, or its projection when the descent did not converge."""
        if self.converged:
            exact = hitting_time(self.trace, self.stopping.threshold, self.f_star)
            if exact is not None:
                return exact
        return projected_time(self.trace, self.stopping, self.status, self.f_star)

    @property
    def final_loss(self) -> float:
        """The loss at the last iteration."""
        return float(self.trace[-1])

    @cached_property
    def min_loss(self) -> float:
        """The smallest loss; infinite or not a number only when no loss was finite."""
        finite = self.trace[np.isfinite(self.trace)]
        return float(finite.min()) if finite.size else self.final_loss

    @cached_property
    def max_loss(self) -> float:
        """The largest loss, infinity included; not a number only when every loss was."""
        known = self.trace[~np.isnan(self.trace)]
        return float(known.max()) if known.size else self.final_loss

    def iterations_to(self, threshold: float) -> int | None:
        """The first iteration within another threshold, or None when it was not reached."""
        return first_hit(self.trace, threshold, self.f_star)

    def summary(self) -> str:
        """One sentence: status, iterations and the losses that decide them."""
        steps, gap = format_count(self.iterations, "iteration"), gap_name(self.f_star)
        value = self.final_loss - self.f_star
        relation = "<=" if self.converged else ">"
        if self.status is Status.DIVERGED:
            return f"diverged at iteration {self.iterations:,}: loss {self.final_loss}"
        text = f"{self.status} after {steps}: {gap} {value:.6g} {relation} {self.threshold:g}"
        if self.status is Status.STALLED:
            cycle = (
                "stands still" if self.period == 1 else f"repeats every {self.period:,} iterations"
            )
            text += f"; x {cycle} (smallest {gap} {self.min_loss - self.f_star:.6g})"
        return text

    @property
    def threshold(self) -> float:
        """The threshold of the stopping rule."""
        return self.stopping.threshold

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<Result of {self.rule} on {self.problem or 'a problem'}: {self.summary()}>"
