"""What a sweep asks of the application whose trials it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from optuna import Study
    from rich.console import Console

    from gdexp.sweeps.launchers import WorkerLauncher, Workers
    from gdexp.sweeps.plan import Plan
    from gdexp.sweeps.results import SweepResult


class Application(Protocol):
    """What is swept: gdexp's own experiments, or the function of another Hydra application."""

    def console(self) -> Console:
        """Return the console that the sweep prints to."""

    def plan(self, launcher: WorkerLauncher | None) -> Plan:
        """Return the sweep's plan after all checks that write nothing.

        Args:
            launcher: starts the workers through another Hydra launcher; None: on this machine.

        Raises:
            BadInput: names the key.
        """

    def run_worker(self, plan: Plan) -> Exception | None:
        """Run the only worker in this process; return the error that it ended with."""

    def start_workers(self, plan: Plan, count: int, lock: int | None) -> Workers:
        """Start workers as processes of this machine.

        Args:
            plan: of the sweep.
            count: how many.
            lock: file descriptor of the study's lock, which they inherit.
        """

    def orders(self, plan: Plan) -> list[str]:
        """Return the overrides of a worker that a Hydra launcher starts."""

    def opened(self, plan: Plan, study: Study) -> None:
        """Prepare the study, which is open, for the workers."""

    def write_result(self, plan: Plan, result: SweepResult) -> None:
        """Write the files that the application keeps of a sweep."""
