"""Limits that `+resume` is given anew: one that the run has passed is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdexp import Stopping
from gdexp.checkpoints import CheckpointFolder
from gdexp.cli.passed_limits import check_passed_limits
from gdexp.core import BadInput

READ = (3.0, 2.0, 2.5, 2.6, 1.0)
"""Readings at 0, 10, … 40: the third and the fourth are no improvement."""

TRAINED = {
    "batches": {"epoch": 15},
    "heard": [(10 * i, {"loss": value}, 0.0) for i, value in enumerate(READ)],
}
DESCENDED = {"trace": np.repeat(READ, 10)}


@pytest.mark.parametrize(
    ("key", "refused", "allowed", "why"),
    [
        ("max_iterations", 49, 50, "must be at least 50: the checkpoint is as far as that"),
        ("max_epochs", 14, 15, "must be at least 15: the checkpoint is in that epoch"),
        ("patience", 2, 3, "would have ended the run at 30, before its checkpoint; give more"),
    ],
)
@pytest.mark.parametrize("state", [TRAINED, DESCENDED], ids=["training", "function"])
def test_a_limit_that_the_run_has_passed_is_refused(
    state: dict[str, Any], key: str, refused: int, allowed: int, why: str, tmp_path: Path
) -> None:
    CheckpointFolder(tmp_path).save(50, state)
    saved = CheckpointFolder(tmp_path).load()
    assert saved is not None
    given: dict[str, Any] = {"max_iterations": 100, "every": 10}
    check_passed_limits(saved, Stopping(0.1, **given | {key: allowed}), [f"stopping.{key}"])
    check_passed_limits(saved, Stopping(0.1, **given | {key: refused}), [])  # as it began
    if key == "max_epochs" and state is DESCENDED:
        return  # a descent has no epochs
    with pytest.raises(BadInput, match=rf"stopping\.{key}={refused}: {why}"):
        check_passed_limits(saved, Stopping(0.1, **given | {key: refused}), [f"stopping.{key}"])
