"""What the record of a portable descent says of its arithmetic and constants."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gdexp import config
from gdexp.experiment.experiment import Experiment
from gdexp.experiment.provenance import ENVIRONMENT, provenance_files
from tests.support.commands import composed


def recorded(*lines: str) -> dict[str, Any]:
    experiment = Experiment.from_config(composed("stopping.max_iterations=3", *lines))
    result = experiment.run()
    files = provenance_files(experiment.config, program=result.program)
    found: dict[str, Any] = json.loads(files[ENVIRONMENT])
    return found


@pytest.mark.slow
def test_a_portable_run_names_its_arithmetic_and_the_sha256_of_its_constants() -> None:
    portable = ("engine=portable", "problem=function")
    first, again = recorded(*portable), recorded(*portable)
    assert first["arithmetic"] == config.ARITHMETIC
    assert len(first["constants"]) == 64
    assert first["constants"] == again["constants"]
    others = [recorded(*portable, line) for line in ("problem.points=63", "dtype=float64")]
    assert len({each["constants"] for each in (first, *others)}) == 3


def test_a_run_on_torchs_engine_names_neither() -> None:
    assert not {"arithmetic", "constants"} & set(recorded("engine=torch", "problem=function"))
