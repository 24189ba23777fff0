"""The result of one descent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from gdexp.core import BadInput, format_count, format_number, gap_name
from gdexp.descent.stopping import (
    GRADIENT_NORM,
    LOSS,
    Logarithm,
    Status,
    Stopping,
    Trace,
    censoring_bounds,
    first_hit,
    first_hits,
    hitting_time,
    projected_time,
)
from gdexp.engine import StoredPlan
from gdexp.optimizers import UpdateRule


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of one descent.

    Attributes:
        status: why it ended.
        trace: the loss at iterations 0, 1, …, n; float64, shape (n + 1,), which holds a float32
            loss exactly. With `Stopping.continue_to` it goes on after the descent's end.
        initial: x at iteration 0, on the CPU.
        final: x at iteration `iterations`, on the CPU.
        rule: the update rule with its hyperparameters.
        stopping: the stopping rule.
        f_star: the value that the threshold is measured from.
        problem: the problem's name.
        period: the iterations after which the state of a stalled descent repeats.
        seconds: wall time of the loop.
        engine: portable or torch: how the losses were computed.
        engine_reason: why `engine=auto` took torch; else None.
        program: what was computed, as data; None on engine torch.
        run_id: of its run in MLflow; None where it is not recorded.
        evaluations: the evaluations of the loss until each iterate, shape (n + 1,), where a rule
            searches; None: one for each.
        gradient_norms: the norm of the gradient at each iterate, shape (n + 1,), where the
            threshold is of it (`Stopping.measure`); else None.
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
    engine: str = "torch"
    engine_reason: str | None = None
    program: StoredPlan | None = None
    run_id: str | None = None
    evaluations: npt.NDArray[np.int64] | None = None
    gradient_norms: Trace | None = None

    @cached_property
    def iterations(self) -> int:
        """The number of updates until the descent ended."""
        if self.converged and self.stopping.continue_to is not None:
            hit = first_hit(self.goal_trace, self.threshold, self.reference)
            return self.updates if hit is None else hit
        return self.updates

    @property
    def updates(self) -> int:
        """The number of updates in the trace, those of its continuation included."""
        return len(self.trace) - 1

    @property
    def converged(self) -> bool:
        """Whether the threshold was reached."""
        return self.status is Status.CONVERGED

    @cached_property
    def hitting_time(self) -> float:
        """The hitting time, or its projection when the descent did not converge."""
        log = logarithm(self.engine)
        if self.converged:
            time = hitting_time(
                self.goal_trace, self.threshold, self.reference, self.stopping.absolute, log
            )
            if time is not None:
                return time
        return projected_time(self.goal_trace, self.stopping, self.status, self.reference, log)

    @property
    def hitting_seconds(self) -> float:
        """The time to the threshold in seconds, or its projection: of updates that take as long."""
        return self.seconds * self.hitting_time / max(self.updates, 1)

    def curve(self, metric: str) -> Trace:
        """Return the readings of a metric: iterations and values, shape (readings, 2).

        Raises:
            BadInput: the descent has no such metric.
        """
        known = {LOSS: self.trace}
        if self.gradient_norms is not None:
            known[GRADIENT_NORM] = self.gradient_norms
        if metric not in known:
            raise BadInput("metric", metric, f"must be {' or '.join(known)} of this descent")
        return np.column_stack([np.arange(len(self.trace), dtype=np.float64), known[metric]])

    @property
    def final_loss(self) -> float:
        """The loss at the descent's end."""
        return float(self.trace[self.iterations])

    @cached_property
    def min_loss(self) -> float:
        """The smallest finite loss until the end; the final loss when none is finite."""
        own = self.trace[: self.iterations + 1]
        finite = own[np.isfinite(own)]
        return float(finite.min()) if finite.size else self.final_loss

    @cached_property
    def max_loss(self) -> float:
        """The largest loss until the end, which may be infinite; NaN only when every loss is."""
        own = self.trace[: self.iterations + 1]
        numbers = own[~np.isnan(own)]
        return float(numbers.max()) if numbers.size else self.final_loss

    @property
    def last_watched(self) -> tuple[int, float] | None:
        """The last that a watch saw, with its iteration; None where it saw nothing."""
        return (len(self.trace) - 1, float(self.trace[-1])) if len(self.trace) else None

    @property
    def goal_trace(self) -> Trace:
        """What is compared with thresholds at iterations 0 … n: losses, or gradient norms."""
        return self.trace if self.gradient_norms is None else self.gradient_norms

    @property
    def reference(self) -> float:
        """What thresholds are measured from: f* of losses, 0 of gradient norms."""
        return self.f_star if self.gradient_norms is None else 0.0

    @property
    def final_gradient_norm(self) -> float | None:
        """The norm of the gradient at the descent's end; None where it was not computed."""
        norms = self.gradient_norms
        return None if norms is None else float(norms[self.iterations])

    def hits(self, thresholds: Sequence[float]) -> list[int | None]:
        """Return `iterations_to` for many thresholds, in one pass over the trace."""
        if self.status is Status.BELOW_MINIMUM:
            return [None] * len(thresholds)
        return first_hits(self.goal_trace, self._levels(thresholds), self.reference)

    def bounds(
        self, thresholds: Sequence[float], hits: Sequence[int | None] | None = None
    ) -> list[int | None]:
        """Return `at_least` for many thresholds.

        Args:
            thresholds: those that are asked.
            hits: what `hits` returns of them; None: it is computed.
        """
        levels, goal = self._levels(thresholds), self.stopping.sign * self.stopping.goal
        return censoring_bounds(self.goal_trace, levels, goal, self.status, self.reference, hits)

    def _levels(self, thresholds: Sequence[float]) -> list[float]:
        return [self.stopping.sign * each for each in thresholds]

    def iterations_to(self, threshold: float) -> int | None:
        """Return the first iteration within another threshold; None when the trace has none.

        Then `at_least` says whether the descent has failed there or was not continued.
        """
        return self.hits([threshold])[0]  # from a wrong f* no threshold says anything

    def at_least(self, threshold: float) -> int | None:
        """Return the fewest iterations that a threshold can need where the trace is censored.

        None where the trace answers: it reaches the threshold, or the descent failed to.
        """
        return self.bounds([threshold])[0]

    def facts(self) -> list[tuple[str, str]]:
        """Return what else is known, as names and values: of a training its metrics."""
        norm = self.final_gradient_norm
        return [] if norm is None else [("final gradient norm", format_number(norm))]

    def summary(self) -> str:
        """Return the status, the iterations and the losses in one sentence."""
        steps, gap = format_count(self.iterations, "iteration"), gap_name(self.f_star)
        norm, value = self.final_gradient_norm, self.final_loss - self.f_star
        relation = "<=" if self.converged else ">"
        if self.status is Status.DIVERGED:
            return f"diverged at iteration {self.iterations:,}: loss {self.final_loss}"
        if self.status is Status.BELOW_MINIMUM:
            return f"below_minimum at iteration {self.iterations:,}: {outcome_text(self)}"
        named = f"{gap} {value:.6g}" if norm is None else f"gradient norm {norm:.6g}"
        text = f"{self.status} after {steps}: {named}"
        if self.stopping.has_threshold:
            text += f" {relation} {self.threshold:g}"
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

    def _repr_html_(self) -> str:
        """Return the outcome and the loss curve for a notebook."""
        from gdexp.display import notebook

        pairs = [
            ("problem", self.problem),
            ("status", str(self.status)),
            ("iterations", f"{self.iterations:,}"),
            ("hitting time", format_number(self.hitting_time)),
            ("final loss", format_number(self.final_loss)),
            *self.facts(),
            *([] if self.run_id is None else [("MLflow run", self.run_id)]),
        ]
        absolute = self.stopping.absolute
        gaps = self.trace if absolute else self.trace - self.f_star
        stopping = self.stopping
        of_loss = stopping.metric == LOSS and stopping.has_threshold and not stopping.of_norm
        name, level = gap_name(self.f_star), self.threshold if of_loss else None
        curve = notebook.curve(gaps, "loss" if absolute else name, not absolute, level)
        return notebook.facts(pairs) + curve

    def __repr__(self) -> str:
        return f"<Result of {self.rule} on {self.problem or 'a problem'}: {self.summary()}>"


def logarithm(engine: str) -> Logarithm:
    """Return the logarithm of an engine's hitting times: portable, or Python's."""
    if engine != "portable":
        return math.log
    from gdexp.engine import scalars

    return scalars.log


def outcome_text(result: Result) -> str:
    """Return why a descent ended, in one clause; below f* what to declare instead."""
    if result.status is Status.CONVERGED and result.stopping.metric != LOSS:
        return f"a reading met {result.stopping.goal_text()}"
    if result.status is Status.CONVERGED and result.stopping.of_norm:
        return "the gradient norm came within the threshold"
    if result.status is not Status.BELOW_MINIMUM:
        return result.status.explanation
    return (
        f"loss {result.final_loss:.6g} is below {result.f_star:g}, from which the threshold is "
        "measured; declare the smallest possible loss as f_star, or f_star=absolute to compare "
        "the loss itself with the threshold"
    )


def measure_note(stopping: Stopping) -> str:
    """Return a note on what a threshold is compared with, where it is no gap; else nothing."""
    if stopping.metric != LOSS:
        if stopping.every == 1:
            return ""
        return f" (read every {format_count(stopping.every, 'update')})"
    return " (of the loss itself; hitting times are linear)" if stopping.absolute else ""
