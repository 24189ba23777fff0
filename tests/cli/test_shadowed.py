"""Files of the user's own that have the name of a library's module do not take its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdexp.core.errors import BadInput
from gdexp.problems.custom import import_by_path
from tests.support.commands import gdexp
from tests.support.user_problems import LINE, write_bowl

NAMES = ("random", "yaml", "typing", "queue", "logging", "torch", "alembic")


@pytest.mark.slow
def test_gdexp_imports_the_real_modules(here: Path) -> None:
    write_bowl(here)
    for name in NAMES:
        (here / f"{name}.py").write_text(f"raise RuntimeError('this is no {name}')\n")
    done = gdexp(*LINE, "optimizer.lr=0.1", cwd=here, real=True)
    assert "recorded" in done.stdout


def test_the_users_own_module_of_such_a_name_is_said_to_be_hidden(here: Path) -> None:
    (here / "random.py").write_text("def loss(x):\n    return x.sum()\n")
    with pytest.raises(BadInput, match=r"rename random\.py, which has the same name"):
        import_by_path("random.loss")
