"""What a sweep found: answers from all traces, tables, figures, and the sweep's own run."""

from gdexp.sweeps.results import terminal_messages
from gdexp.sweeps.results.best_trial_runs import create_trial_runs
from gdexp.sweeps.results.confirmed import with_confirmation
from gdexp.sweeps.results.figures import sweep_pictures
from gdexp.sweeps.results.problem_table import problem_rows
from gdexp.sweeps.results.raced import with_race
from gdexp.sweeps.results.sweep_answer import plan_fields, sweep_answer
from gdexp.sweeps.results.sweep_result import SweepResult
from gdexp.sweeps.results.sweep_run import finish_sweep_run, start_sweep_run, sweep_params
from gdexp.sweeps.results.terminal_messages import print_plan
from gdexp.sweeps.results.terminal_report import print_result
from gdexp.sweeps.results.tested import tested
from gdexp.sweeps.results.threshold_table import threshold_cells
from gdexp.sweeps.results.trials_table import trial_cells

__all__ = [
    "SweepResult",
    "create_trial_runs",
    "finish_sweep_run",
    "plan_fields",
    "print_plan",
    "print_result",
    "problem_rows",
    "start_sweep_run",
    "sweep_answer",
    "sweep_params",
    "sweep_pictures",
    "terminal_messages",
    "tested",
    "threshold_cells",
    "trial_cells",
    "with_confirmation",
    "with_race",
]
