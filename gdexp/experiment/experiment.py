"""An experiment: the objects made from a checked config, ready to run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from gdexp import config
from gdexp.core import BadInput, GdexpError, code_failed, validation
from gdexp.descent import Result, Stopping, Watch, descend, starting_point
from gdexp.experiment.provenance import code_digests
from gdexp.optimizers import RULES, UpdateRule
from gdexp.problems import Problem, build_problem


@dataclass(frozen=True)
class Experiment:
    """One descent, described completely.

    Attributes:
        config: the plain config of what decides the outcome.
    """

    problem: Problem
    rule: UpdateRule
    stopping: Stopping
    seed: int
    dtype: torch.dtype
    device: torch.device
    config: config.Config

    @classmethod
    def from_config(cls, composed: Mapping[str, Any], trust: Sequence[str] = ()) -> Experiment:
        """Build and check every part of a config.

        Args:
            composed: a plain config.
            trust: import paths that `problem=custom` may use. A path that a person typed on this
                machine is trusted; a path from a stored config is not.

        Raises:
            BadInput: the first value that cannot be used, by its full key.
        """
        chosen = config.outcome(composed)
        problem = build_problem(_group("problem", chosen), trust)
        experiment = cls(
            problem=problem,
            rule=config.choose("optimizer", RULES, chosen["optimizer"]),
            stopping=_stopping(chosen, problem),
            seed=validation.integer("seed", chosen["seed"]),
            dtype=validation.dtype(chosen["dtype"]),
            device=validation.device(chosen["device"]),
            config=chosen,
        )
        with experiment.problem_errors():
            start = starting_point(problem, experiment.seed)
        for key, value in (("x0", start), ("target", problem.target)):
            experiment._check_range(f"problem.{key}", value)
        return experiment

    @property
    def signature(self) -> str:
        """The hash that equal experiments share.

        Modules that the user's code imports during the descent have joined at its end.
        """
        return config.signature(self.config, code_digests(self.config))

    def run(self, watch: Watch | None = None) -> Result:
        """Run the descent.

        Raises:
            GdexpError: names the problem whose code raised another exception.
        """
        with self.problem_errors():
            return descend(
                self.problem,
                self.rule,
                self.stopping,
                seed=self.seed,
                dtype=self.dtype,
                device=self.device,
                watch=watch,
            )

    def rehearse(self) -> None:
        """Make one update and drop its result, so that errors come before anything is written.

        Raises:
            BadInput: a loss that is no scalar function of x, a rule that cannot take this x.
            GdexpError: the problem's own code raised an exception.
        """
        with self.problem_errors():
            stopping = replace(self.stopping, max_iterations=1, cap=None)
            descend(
                self.problem,
                self.rule,
                stopping,
                seed=self.seed,
                dtype=self.dtype,
                device=self.device,
            )

    @contextmanager
    def problem_errors(self) -> Iterator[None]:
        """Turn exceptions from the problem's code into gdexp's errors, with the problem's name."""
        try:
            yield
        except BadInput as error:
            raise (error.in_section("optimizer") if error.key == "class_name" else error) from error
        except GdexpError:
            raise
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            where = self.config["problem"].get("path") or self.problem.name
            raise code_failed(where, error) from error

    def with_cap(self, cap: int | None) -> Experiment:
        """Return the experiment with a cap on its iterations.

        None, or a cap that is not below its own limit, changes nothing.
        """
        if cap is None or cap >= self.stopping.limit:
            return self
        stopping = replace(self.stopping, cap=cap)
        group = {**self.config["stopping"], "cap": cap}
        return replace(self, stopping=stopping, config={**self.config, "stopping": group})

    def with_limit(self, iterations: int) -> Experiment:
        """Return the experiment with at most so many iterations; a lower limit stays."""
        if iterations >= self.stopping.max_iterations:
            return self
        stopping = replace(self.stopping, max_iterations=iterations)
        group = {**self.config["stopping"], "max_iterations": iterations}
        return replace(self, stopping=stopping, config={**self.config, "stopping": group})

    def threshold_warning(self) -> str | None:
        """Return a warning when the threshold is below what the dtype can resolve, else None.

        The estimate is the loss at a point that is four rounding errors away from the minimiser in
        every coordinate, with the curvature that the problem declares.
        """
        if self.problem.absolute:
            return None
        info = torch.finfo(self.dtype)
        scale = 1.0
        if self.problem.x_star is not None:
            scale = max(float(self.problem.x_star.abs().max()), 2.0**-10)
        step = 4 * info.eps * scale
        curvature = self.problem.curvature[1] if self.problem.curvature else 1.0
        numbers = torch.Size(self.problem.shape).numel() if self.problem.shape else 1
        floor = max(
            0.5 * curvature * numbers * step * step,
            0.5 * info.eps * abs(self.problem.reference),
        )
        if self.stopping.threshold >= floor:
            return None
        name = str(self.dtype).removeprefix("torch.")
        lower = "" if self.dtype is torch.float64 else "; dtype=float64 goes lower"
        return (
            f"stopping.threshold={self.stopping.threshold:g} is below the smallest loss that "
            f"{name} can be relied on to reach here (about {floor:.0e}){lower}"
        )

    def _check_range(self, key: str, value: torch.Tensor | None) -> None:
        """Refuse numbers that are infinite in the experiment's dtype."""
        if value is None or torch.isfinite(value.to(self.dtype)).all():
            return
        largest = torch.finfo(self.dtype).max
        raise BadInput(
            key,
            f"up to {float(value.abs().max()):.3g}",
            f"must be within ±{largest:.3g}, the largest {str(self.dtype).removeprefix('torch.')}",
        )


def trusted_paths(composed: Mapping[str, Any]) -> list[str]:
    """Return the import path of `problem=custom` in a config that a person composed here."""
    path = composed["problem"].get("path") if isinstance(composed["problem"], Mapping) else None
    return [path] if isinstance(path, str) else []


def _stopping(chosen: Mapping[str, Any], problem: Problem) -> Stopping:
    """Return the stopping rule of a config; whether it is absolute follows from the problem."""
    given = _group("stopping", chosen)
    if "absolute" in given:
        raise BadInput("stopping.absolute", given["absolute"], "write problem.f_star=absolute")
    known = {**given, "absolute": True} if problem.absolute else given
    return config.construct("stopping", Stopping, known)


def _group(name: str, composed: Mapping[str, Any]) -> Mapping[str, Any]:
    given = composed[name]
    if not isinstance(given, Mapping):
        raise BadInput(name, given, "must be a group of keys")
    return given
