"""Single runs that a kill, a signal or a full disk ended, and how they go on."""

from __future__ import annotations

import shlex

from rich.console import Console

from gdexp.checkpoints import CheckpointFolder
from gdexp.config import import_paths
from gdexp.core import command_folder
from gdexp.display import terminal
from gdexp.experiment import FOLDER, Experiment, has_same_config


def name_unfinished(experiment: Experiment) -> None:
    """Warn of runs with the same settings that were not finished, and say how they go on."""
    for folder in unfinished():
        about = folder.about()
        if about is not None and has_same_config(experiment, about):
            command = resume_command(folder.path.name, experiment)
            terminal.print_warning(
                f"run {folder.path.name} of these settings is unfinished; {command} goes on with it"
            )


def unfinished() -> list[CheckpointFolder]:
    """Return the folders of runs that have checkpoints, the newest first."""
    folders = [CheckpointFolder(each) for each in (command_folder() / FOLDER).glob("*")]
    found = [each for each in folders if each.numbers()]
    return sorted(found, key=lambda each: each.path.stat().st_mtime, reverse=True)


def resume_command(run_id: str, experiment: Experiment) -> str:
    """Return the command that goes on with a run, with the `trust` that it needs."""
    words = ["python -m gdexp", f"+resume={run_id}"]
    if paths := import_paths(experiment.config):
        words.append(shlex.quote(f"trust=[{','.join(paths)}]"))
    return " ".join(words)


def tell_interrupted(
    out: Console, experiment: Experiment, run_id: str, state: str, folder: CheckpointFolder
) -> None:
    """Print what became of a run that a signal or a full disk ended."""
    if state != "FINISHED" and (numbers := folder.numbers()):
        step = "update" if experiment.function is None else "iteration"
        out.print(f"Run {run_id} is {state} at {step} {max(numbers):,}; it goes on with")
        terminal.print_line(out, resume_command(run_id, experiment))
        return
    whole = "recorded whole" if state == "FINISHED" else "the same command makes a new one"
    out.print(f"Run {run_id} is {state}; {whole}.")
