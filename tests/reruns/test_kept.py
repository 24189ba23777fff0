"""Runs that were tracked once, by the code of their day, rerun by the code of today."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdexp.descent.stopping import Status
from gdexp.experiment.provenance import BATCH
from gdexp.reruns.export_folder import read_folder
from gdexp.reruns.replay import Rerun, build_experiment, replay_descent
from gdexp.reruns.verdict import Level
from tests.reruns.conftest import Ask
from tests.reruns.kept import CLOSE, EXACT, FOLDER, SWEEP

PROCESSOR = (
    "the processor", "the machine", "the version of torch", "torch's build", "torch's commit",
    "oneDNN in torch", "the version of numpy",
)  # fmt: skip
"""What may excuse other last bits: another processor, or another library for it."""


def rerun(name: str) -> Rerun:
    """A kept run made again."""
    reference = read_folder(FOLDER / name, name)
    return replay_descent(reference, build_experiment(reference))


def test_every_kept_run_is_rerun_here() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*EXACT, *CLOSE, SWEEP}


@pytest.mark.parametrize("name", [*EXACT, SWEEP])
def test_sums_and_products_are_identical_on_every_processor(name: str) -> None:
    made = rerun(name)
    assert made.verdict.level is Level.IDENTICAL, str(made.verdict)


@pytest.mark.parametrize("name", CLOSE)
def test_the_rest_is_identical_too_unless_the_processor_is_another(name: str) -> None:
    verdict = rerun(name).verdict
    excused = any(cause.what.startswith(PROCESSOR) for cause in verdict.causes)
    allowed = {Level.IDENTICAL} | ({Level.CLOSE, Level.SAME_OUTCOME} if excused else set())
    assert verdict.level in allowed, str(verdict)


def test_the_kept_runs_end_in_every_way_and_come_alone_and_from_a_batch() -> None:
    references = [read_folder(path, path.name) for path in FOLDER.iterdir()]
    later = {  # no run ended so when these were made
        *(Status.BELOW_MINIMUM, Status.FAILED, Status.PRUNED),
        *(Status.PLATEAU, Status.OUT_OF_TIME, Status.MAX_EPOCHS, Status.FINISHED),
    }
    assert {reference.status for reference in references} == set(Status) - later
    assert BATCH in {reference.grouping for reference in references}
    assert not any(reference.contradictions() for reference in references)


def test_a_kept_run_is_rerun_by_the_command_in_its_readme(ask: Ask) -> None:
    Path("FOLDER").symlink_to(FOLDER / "booth-converged")
    readme = Path("FOLDER/README.md").read_text()
    command = "python -m gdexp +rerun=./FOLDER"
    assert command in readme
    said = ask(*command.split()[3:], "rerun.record=false")
    assert "verdict identical: all 70 losses and the final tensor (2), bit for bit" in said.out
