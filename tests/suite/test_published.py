"""The published table again, bit for bit: a small part here, all of it by `scripts/bench`."""

from __future__ import annotations

import csv
import math
import re

import pytest
from documentation import site

from gdexp.comparison import performance_profile, profile_score
from gdexp.suite.cells import Cell, descents
from gdexp.suite.descents import Function
from gdexp.suite.entry import Entry
from gdexp.suite.outcome import Attempts
from gdexp.suite.settings import BenchmarkSettings
from gdexp.suite.shipped_rates import shipped_rates
from gdexp.suite.tables import digest
from scripts.benchmarks import first_order

SETTINGS = BenchmarkSettings()


def entries() -> dict[str, Entry]:
    """The rules of the table, by their labels."""
    return {entry.label: entry for entry in SETTINGS.entries}


def solvers() -> int:
    """How many solvers it has: two of a rule whose rate is swept."""
    return sum(2 if entry.swept else 1 for entry in entries().values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "function", "dimension"),
    [
        ("gd", 1, 20),
        ("adam", 8, 5),
        ("momentum", 14, 2),
        ("conjugate_gradients(lr=1)", 8, 2),
        ("adgd(lr=1e-07, version=2020)", 1, 20),
    ],
)
def test_descents_of_the_table_are_the_same_to_the_last_bit(
    rule: str, function: int, dimension: int
) -> None:
    rates = shipped_rates().get(Cell(rule, function, dimension))
    made_with: dict[str, float | None] = {rule: None}
    if rates is not None:
        made_with = {rule: rates.function, f"{rule}, one rate": rates.common}
    made = descents(
        entries()[rule],
        Function(function, dimension, SETTINGS.budget * dimension),
        SETTINGS,
        [*made_with.values()],
        seed=0,
    )
    known = first_order.published()
    for name, rate in made_with.items():
        own = Attempts(rate, "portable", [each for each in made if each.rate == rate])
        assert digest(own) == known[name, str(dimension), str(function)]


def test_every_cell_of_the_table_has_its_rate() -> None:
    wanted = {
        Cell(rule, function, dimension)
        for rule, entry in entries().items()
        if entry.swept
        for function in SETTINGS.functions
        for dimension in SETTINGS.dimensions
    }
    assert wanted == {*shipped_rates()}
    tasks = len(SETTINGS.functions) * len(SETTINGS.dimensions)
    assert len(first_order.published()) == solvers() * tasks


def test_the_scores_of_the_page_follow_from_the_running_times_of_all_rules() -> None:
    page = (site.HERE / "pages" / "explanation" / "which-rule.md").read_text(encoding="utf-8")
    shown = {
        name: cells
        for line in page.splitlines()
        if re.search(r"\| 0\.\d\d \(", line)
        for name, *cells in [[cell.strip() for cell in line.strip("| \n").split("|")]]
    }
    assert len(shown) == solvers()
    times: dict[tuple[str, str], dict[str, list[float | None]]] = {}
    published = first_order.running_times()
    assert published.keys() == first_order.published().keys()
    for (name, dimension, function), known in published.items():
        row = [float(each) if each else None for each in known]
        times.setdefault((dimension, function), {})[name] = row
    with first_order.SCORES.open(encoding="utf-8", newline="") as file:
        scores = {(row["solver"], row["dimension"]): row for row in csv.DictReader(file)}
    assert len(scores) == 3 * solvers()
    for place, dimension in enumerate(("2", "5", "20")):
        own = {
            name: [t for f in SETTINGS.functions for t in times[dimension, str(f)][name][1:]]
            for name in shown
        }
        for name, profile in performance_profile(own).items():
            row = scores[name, dimension]
            assert math.isclose(profile_score(profile), float(row["score"]), rel_tol=1e-12)
            bounds = f"({float(row['score_low']):.2f}–{float(row['score_high']):.2f})"
            assert shown[name][place] == f"{float(row['score']):.2f} {bounds}"
            solved = sum(times[dimension, str(f)][name][-1] is not None for f in SETTINGS.functions)
            assert shown[name][3].split(", ")[place] == str(solved) == row["functions_solved"]


def test_the_page_shows_the_numbers_of_the_table() -> None:
    page = (site.HERE / "pages" / "explanation" / "which-rule.md").read_text(encoding="utf-8")
    with first_order.TABLE.open(encoding="utf-8", newline="") as file:
        shares: dict[tuple[str, str], list[float]] = {}
        for row in csv.DictReader(file):
            shares.setdefault((row["solver"], row["dimension"]), []).append(float(row["share"]))
    rows = [
        [cell.strip() for cell in line.strip("| \n").split("|")]
        for line in page.splitlines()
        if re.match(r"\| [^|]+ \| 0\.\d{3} \|", line)
    ]
    assert len(rows) == solvers()
    for name, *cells in rows:
        for dimension, cell in zip(("2", "5", "20"), cells, strict=True):
            own = shares[name, dimension]
            assert cell == f"{sum(own) / len(own):.3f}"
