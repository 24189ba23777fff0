"""Charts of the share of tasks that each solver does: ECDF, performance and data profile."""

from __future__ import annotations

import numpy as np

from gdexp.comparison.bands import LEVEL, Profile, bands
from gdexp.comparison.comparison import Comparison
from gdexp.comparison.figure_model import GREY, MOST_NAMED, PALETTE, Chart, Series
from gdexp.comparison.profiles import data_profile, ecdf, performance_profile
from gdexp.comparison.tasks import Tasks
from gdexp.descent import ITERATIONS
from gdexp.runs import UnreadableRun


def ecdf_chart(comparison: Comparison) -> Chart | None:
    """Make the ECDF: the share of (problem, threshold, seed) that a solver does by iterations."""
    if len(comparison.runs) < 2:
        return None
    tasks = Tasks.of(comparison)
    return _step_chart(
        comparison,
        tasks,
        lambda times, places: {solver: ecdf(own) for solver, own in times.items()},
        name="ecdf",
        title="share of problems, thresholds and seeds done",
        x_label="hitting time" if comparison.cost == ITERATIONS else comparison.cost_name,
        y_label="share done",
    )


def performance_profile_chart(comparison: Comparison) -> Chart | None:
    """Make Dolan and Moré's performance profile, if there are several solvers and problems."""
    if not _several_of_each(comparison):
        return None
    tasks = Tasks.of(comparison)
    return _step_chart(
        comparison,
        tasks,
        lambda times, places: performance_profile(times),
        name="performance_profile",
        title="performance profile (Dolan and Moré 2002)",
        x_label=f"{comparison.cost_name} relative to the fastest",
        y_label="share of tasks",
    )


def data_profile_chart(comparison: Comparison) -> Chart | None:
    """Make Moré and Wild's data profile, if there are several solvers and problems."""
    if not _several_of_each(comparison):
        return None
    sizes: dict[str, int] = {}
    for run in comparison.runs:
        problem = comparison.problem_of[run.run_id]
        if problem not in sizes:
            try:
                sizes[problem] = int(run.final.size)
            except UnreadableRun:
                return None
    tasks = Tasks.of(comparison)
    numbers = [sizes[task[0]] for task in tasks.tasks]
    return _step_chart(
        comparison,
        tasks,
        lambda times, places: data_profile(times, [numbers[place] for place in places]),
        name="data_profile",
        title="data profile (Moré and Wild 2009)",
        x_label=f"{comparison.cost_name} per (numbers in x + 1)",
        y_label="share of tasks",
    )


def _several_of_each(comparison: Comparison) -> bool:
    problems = set(comparison.problem_of.values())
    return len(problems) > 1 and len(comparison.solvers) > 1


def _step_chart(
    comparison: Comparison,
    tasks: Tasks,
    profile: Profile,
    *,
    name: str,
    title: str,
    x_label: str,
    y_label: str,
) -> Chart | None:
    times = {
        solver: np.array([np.inf if t is None else t for t in own], dtype=np.float64)
        for solver, own in tasks.times.items()
    }
    steps = profile(times, np.arange(len(tasks.tasks)))
    highest = max((float(s.at[-1]) for s in steps.values() if s.at.size), default=0.0)
    lowest = min((float(s.at[s.at > 0][0]) for s in steps.values() if (s.at > 0).any()), default=1)
    if not highest:
        return None
    x = {
        solver: np.array([lowest, *step.at[step.at > lowest], highest * 1.1])
        for solver, step in steps.items()
    }
    edges = bands(tasks, profile, x) if len(steps) <= MOST_NAMED else {}
    series = []
    for i, (solver, step) in enumerate(steps.items()):
        later = step.at > lowest
        y = np.array([step(lowest), *step.share[later], step(highest)])
        named = i < MOST_NAMED
        colour = PALETTE[i] if named else GREY
        runs = comparison.solvers[solver]
        settings = len({run.configuration for run in runs})
        best_of = f" (best of {settings} settings)" if settings > 1 else ""
        legend = named and len(steps) > 1
        low, high = edges.get(solver, (None, None))
        series.append(
            Series(
                f"{solver}{best_of}",
                x[solver],
                y,
                "steps",
                colour,
                legend=legend,
                low=low,
                high=high,
            )
        )
    note = "Thresholds that were not reached count as not done."
    if tasks.left_out:
        note += (
            f" {tasks.left_out:,} of {tasks.left_out + len(tasks.tasks):,} tasks are left out: "
            "a run that may need less was not continued to their threshold."
        )
    if any("best of" in each.name for each in series):
        note += " A rule with several settings is shown at the best of them for each task."
    if edges:
        note += f" Bands: {LEVEL:.0%} bootstrap intervals over the seeds."
    return Chart(name, title, x_label, y_label, series, x_log=True, note=note, share=True)
