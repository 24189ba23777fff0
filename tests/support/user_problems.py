"""Problems as users write them: a module, a helper of it, and a data file."""

from __future__ import annotations

from pathlib import Path

BOWL = """\
import torch
from gdexp import Problem
from helper import SCALE

class Bowl(Problem):
    shape = (2,)
    f_star = 0.0

    def __init__(self):
        super().__init__()
        with open("data.csv") as rows:
            self.weights = torch.tensor([float(each) for each in rows.read().split(",")])

    def loss(self, x):
        import late
        return late.ONE * SCALE * (self.weights * x**2).sum()
"""

FILES = {
    "bowl.py": BOWL,
    "helper.py": "# the scale of the loss\nSCALE = 1.0\n",
    "late.py": "ONE = 1.0\n",
    "data.csv": "1.0,2.0",
}

LINE = ("problem=custom", "problem.path=bowl.Bowl", "stopping.max_iterations=40")
RATES = "optimizer.lr=choice(0.05,0.1,0.2,0.3)"


def write_bowl(folder: Path) -> None:
    """Write the module `bowl` with what it imports and reads."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
