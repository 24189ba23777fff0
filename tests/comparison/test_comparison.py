"""Comparisons: closed forms, properties, and pages that no run's name can turn against a reader."""

from __future__ import annotations

import html.parser
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plotly import graph_objects

from gdexp import BadInput, Runs, TrackedRun, load_runs
from gdexp.comparison import matplotlib_figures
from gdexp.comparison.comparison import Comparison
from gdexp.comparison.descent_paths import descent_path
from gdexp.comparison.figure_model import GREY, Chart, Images, Series, Surface
from gdexp.comparison.html_report import html_page
from gdexp.comparison.loss_curves import MOST_POINTS, curve_steps
from gdexp.comparison.matplotlib_figures import render_png
from gdexp.comparison.pictures import make_pictures
from gdexp.comparison.plotly_figures import plotly_json
from gdexp.comparison.profiles import data_profile, ecdf, expected_running_time, performance_profile
from gdexp.comparison.summary import (
    answer,
    left_out_lines,
    repeat_command,
    repeat_commands,
    repeat_title,
    summary_lines,
)
from gdexp.comparison.tables import Table, differences_table
from gdexp.comparison.terminal_plot import plot_lines
from gdexp.descent.stopping import first_hits
from gdexp.runs.artifact_reader import ArtifactReader
from gdexp.tracking.record import RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.runs.test_runs import record, swept

pytestmark = pytest.mark.usefixtures("real_pictures")

HOSTILE = "</script><script>alert(1)</script><img src=http://evil onerror=x>&\"'$x$_[bold]"


def run(number: int, trace: list[float], final: object = 0.0, **params: object) -> TrackedRun:
    """A finished run that is nowhere but here."""
    hit = first_hits(np.array(trace), [float(str(params.get("stopping.threshold", 1e-3)))])[0]
    found = TrackedRun(
        run_id=f"{number:032x}", name=f"run {number}", kind="run", state="FINISHED",
        params={"stopping.threshold": "0.001", "problem.name": "matrix", "optimizer.name": "gd",
                **{key: json.dumps(value) for key, value in params.items()}},
        metrics={"f_star": 0.0, "hitting_time": math.inf if hit is None else float(hit),
                 "iterations": float(len(trace) - 1), "final_loss": trace[-1]},
        tags={"gdexp.status": "max_iterations" if hit is None else "converged"},
        trial=number, parent=None, started=number, experiment_id="1", home="/nowhere",
        _files=ArtifactReader(), _minima={},
    )  # fmt: skip
    found.__dict__["trace"] = np.array(trace)
    found.__dict__["initial"] = found.__dict__["final"] = np.array(final, dtype=float)
    return found


def halving(number: int, factor: float, **params: object) -> TrackedRun:
    """Gaps factor^k until 1e-3 is reached."""
    trace = [1.0]
    while trace[-1] > 1e-3:
        trace.append(trace[-1] * factor)
    return run(number, trace, **params)


times = st.lists(st.one_of(st.none(), st.floats(0.1, 1e6)), min_size=1, max_size=20)


def test_expected_running_time_counts_failures_and_divides_by_successes() -> None:
    assert expected_running_time([10, 20, 30], [True, False, True]) == 30.0
    assert expected_running_time([10, 20], [False, False]) == math.inf
    with pytest.raises(BadInput, match="one entry for each"):
        expected_running_time([1.0], [])


@pytest.mark.slow
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_without_failures_it_is_the_mean(spent: list[float]) -> None:
    assert expected_running_time(spent, [True] * len(spent)) == pytest.approx(np.mean(spent))


@pytest.mark.slow
@given(times)
def test_an_ecdf_is_the_share_of_all_tasks_done(given_: list[float | None]) -> None:
    steps = ecdf(given_)
    for x in [0.0, 1.0, 50.0, 1e7]:
        done = sum(t is not None and t <= x for t in given_)
        assert steps(x) == pytest.approx(done / len(given_))


def test_a_performance_profile_by_hand() -> None:
    found = performance_profile({"a": [1.0, 4.0, None, 0.0], "b": [2.0, 2.0, None, 0.0]})
    # Of the tasks that tell anything, each solver is fastest at one and twice as slow at one.
    for solver in ("a", "b"):
        assert (found[solver](1.0), found[solver](1.99), found[solver](2.0)) == (0.5, 0.5, 1.0)


@pytest.mark.slow
@given(times, st.floats(0.01, 100))
def test_a_profile_does_not_change_with_the_unit(given_: list[float | None], unit: float) -> None:
    other = [None if t is None else t * 2 for t in given_]
    plain = performance_profile({"a": given_, "b": other})
    scaled = performance_profile(
        {
            "a": [None if t is None else t * unit for t in given_],
            "b": [None if t is None else t * unit for t in other],
        }
    )
    done = any(t is not None for t in given_)
    for solver in ("a", "b"):
        for ratio in (0.5, 1.5, 2.5):
            assert plain[solver](ratio) == pytest.approx(scaled[solver](ratio))
    assert plain["a"](1.0) == plain["b"](2.001) == (1.0 if done else 0.0)


def test_a_data_profile_counts_in_units_of_the_dimension_plus_one() -> None:
    found = data_profile({"a": [30.0, 11.0]}, [2, 10])["a"]
    assert (found(0.99), found(1.0), found(9.99), found(10.0)) == (0.0, 0.5, 0.5, 1.0)
    with pytest.raises(BadInput, match="dimensions"):
        data_profile({"a": [1.0]}, [1, 2])


def test_only_what_differs_is_said_to_differ() -> None:
    runs = [
        halving(1, 0.5, **{"optimizer.lr": 1, "seed": 0}),
        halving(2, 0.4, **{"optimizer.lr": 1.0, "seed": 1}),
    ]
    found = Comparison.of(Runs(runs))
    assert list(found.params) == ["seed"]  # 1 is 1.0
    assert "iterations" in found.metrics
    assert not found.statuses_differ
    assert list(Comparison.of(Runs([runs[0], runs[0]])).params) == []


def test_nan_in_two_runs_is_no_difference() -> None:
    runs = [halving(1, 0.5), halving(2, 0.5)]
    for each in runs:
        object.__setattr__(each, "metrics", {**each.metrics, "min_loss": math.nan})
    assert "min_loss" not in Comparison.of(Runs(runs)).metrics


def test_distances_are_from_the_first_of_a_list_and_the_best_of_a_sweep() -> None:
    slow, fast = halving(1, 0.9), halving(2, 0.5)
    slow.__dict__["final"] = np.array([[1.0, 2.0]])
    fast.__dict__["final"] = np.array([[1.5, 4.0]])
    listed = Comparison.of(Runs([slow, fast]))
    assert listed.reference is slow
    assert listed.distances[fast.run_id].largest == 2.0
    assert listed.distances[fast.run_id].mean == 1.25
    sweep = Comparison.of(Runs([slow, fast], sweep=halving(3, 0.5)))
    assert sweep.reference is fast
    assert sweep.distances[slow.run_id].largest == 2.0
    assert sweep.distances[fast.run_id].largest == 0.0


def test_other_shapes_have_no_distance_and_infinite_ones_no_number() -> None:
    runs = [halving(1, 0.5), halving(2, 0.5), halving(3, 0.5)]
    for each, final in zip(runs, ([1.0, 2.0], [1.0], [math.inf, 0.0]), strict=True):
        each.__dict__["final"] = np.array(final)
    found = Comparison.of(Runs(runs))
    assert found.distances[runs[1].run_id].missing == "other shape"
    assert math.isnan(found.distances[runs[2].run_id].largest)
    cells = [cell for row in differences_table(found, 20).rows for cell in row]
    assert {"ref", "other shape", "not finite"} <= set(cells)


def test_hitting_times_are_the_closed_form_of_a_geometric_trace() -> None:
    found = Comparison.of(Runs([halving(1, 0.5)]))
    for threshold, time in zip(found.thresholds, found.times[found.best.run_id], strict=True):
        if threshold >= 1e-3:
            assert time == pytest.approx(math.log(1 / threshold) / math.log(2))
        else:
            assert time is None
    assert found.count(found.best, 1e-2) == math.ceil(math.log2(100))


def test_the_runs_own_threshold_is_among_the_thresholds() -> None:
    assert 1e-3 in Comparison.of(Runs([halving(1, 0.5)]), [0.1]).thresholds
    with pytest.raises(BadInput, match="must be > 0"):
        Comparison.of(Runs([halving(1, 0.5)]), [0.0])


def test_seeds_of_one_configuration_are_one_group() -> None:
    runs = [halving(i, 0.5 + 0.1 * i, seed=i) for i in range(3)]
    runs.append(halving(9, 0.5, **{"optimizer.lr": 3.0, "seed": 0}))
    found = Comparison.of(Runs(runs))
    (group,) = found.seed_groups
    assert set(group) == set(runs[:3])
    counts = [found.count(each, 1e-3) for each in runs[:3]]
    assert found.expected_time(group, 1e-3) == pytest.approx(sum(map(float, counts)) / 3)  # type: ignore[arg-type]
    failing = run(4, [1.0, 0.5, 0.4], seed=7)
    more = Comparison.of(Runs([*runs[:3], failing]))
    assert more.expected_time(more.seed_groups[0], 1e-3) == (sum(map(float, counts)) + 2) / 3  # type: ignore[arg-type]


def test_nothing_left_to_compare_is_an_error_that_says_why() -> None:
    running = halving(1, 0.5)
    object.__setattr__(running, "state", "RUNNING")
    with pytest.raises(BadInput, match="no finished run to compare; run 00000000 is still running"):
        Comparison.of(Runs([running]))
    left = Comparison.of(Runs([running, halving(2, 0.5)]))
    assert left_out_lines(left) == ["00000000: is still running"]
    assert len(left.runs) == 1


@pytest.mark.slow
@given(
    st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=3000),
    st.lists(st.floats(1e-8, 1e2), max_size=4),
)
def test_a_thinned_curve_keeps_ends_minimum_and_crossings(
    trace: list[float], thresholds: list[float]
) -> None:
    gaps = np.array(trace)
    kept = curve_steps(gaps, thresholds, most=50)
    assert kept == sorted(set(kept))
    assert {0, len(gaps) - 1} <= set(kept)
    assert gaps[kept].min() == gaps.min()
    assert first_hits(gaps[kept], thresholds) == [
        None if hit is None else kept.index(hit) for hit in first_hits(gaps, thresholds)
    ]
    assert len(kept) <= 50 + 3 + 2 * len(thresholds)


@pytest.fixture
def sweep() -> Comparison:
    """Forty trials over learning rate and momentum, some of which did not converge."""
    runs = [
        halving(i, 0.3 + 0.015 * i, **{"optimizer.lr": 1.2**i, "optimizer.momentum": (i % 5) / 5})
        for i in range(40)
    ]
    runs += [
        run(90 + i, [1.0, 0.9], **{"optimizer.lr": 5e3, "optimizer.momentum": 0.5})
        for i in range(2)
    ]
    return Comparison.of(Runs(runs, sweep=halving(99, 0.5)))


@pytest.fixture
def benchmark() -> Comparison:
    """Two rules on two problems with three seeds each."""
    return Comparison.of(
        Runs(
            halving(
                100 * p + 10 * r + s,
                0.4 + 0.1 * p + 0.15 * r + 0.01 * s,
                **{"problem.name": f"p{p}", "optimizer.name": f"r{r}", "seed": s},
            )
            for p in range(2)
            for r in range(2)
            for s in range(3)
        )
    )


def test_the_pictures_are_those_that_the_runs_can_show(
    sweep: Comparison, benchmark: Comparison
) -> None:
    assert [p.name for p in make_pictures(sweep)] == [
        "loss", "iterations_by_lr", "fewest", "heat_map", "incumbent", "ecdf",
    ]  # fmt: skip
    assert [p.name for p in make_pictures(benchmark)] == [
        "loss", "fewest", "ecdf", "performance_profile", "data_profile",
    ]  # fmt: skip


@pytest.mark.slow
def test_every_picture_becomes_a_png_and_a_figure_that_plotly_accepts(
    sweep: Comparison, benchmark: Comparison
) -> None:
    finals = Images("final", "finals", [("a", np.eye(3)), ("b", np.full((2, 2), np.nan))])
    pictures = [*make_pictures(sweep), *make_pictures(benchmark), finals]
    of_each_kind = {type(picture): picture for picture in pictures}
    assert len(of_each_kind) == 3
    for picture in pictures:
        drawn = render_png(picture)
        assert drawn.startswith(b"\x89PNG")
        assert picture is not of_each_kind[type(picture)] or drawn == render_png(picture)
        for figure in plotly_json(picture):
            graph_objects.Figure(figure)
            json.dumps(figure, allow_nan=False)


def test_at_most_so_many_curves_are_drawn_and_the_best_ones(sweep: Comparison) -> None:
    chart = make_pictures(sweep, curves=10)[0]
    assert isinstance(chart, Chart)
    assert "best 10 of 42" in chart.title
    assert len([s for s in chart.series if s.kind == "line"]) == 10
    assert all(len(series.x) <= MOST_POINTS + 30 for series in chart.series)
    assert sweep.label(sweep.best) in [series.name for series in chart.series]


def test_censored_runs_are_marked_where_they_ended(sweep: Comparison) -> None:
    chart = next(p for p in make_pictures(sweep) if p.name == "iterations_by_lr")
    assert isinstance(chart, Chart)
    (triangles,) = [series for series in chart.series if series.marker == "triangle"]
    assert triangles.y.tolist() == [1.0, 1.0]
    reached = next(series for series in chart.series if series.marker == "circle")
    assert len(reached.x) == 40


def test_the_band_over_seeds_holds_the_median(benchmark: Comparison) -> None:
    chart = make_pictures(benchmark)[0]
    assert isinstance(chart, Chart)
    for series in chart.series:
        if series.low is not None and series.high is not None:
            assert (series.low <= series.y).all()
            assert (series.y <= series.high).all()


def test_the_incumbent_never_rises(sweep: Comparison) -> None:
    chart = next(p for p in make_pictures(sweep) if p.name == "incumbent")
    assert isinstance(chart, Chart)
    values = chart.series[0].y
    assert (np.diff(values[np.isfinite(values)]) <= 0).all()
    assert chart.series[0].x[-1] == sum(each.iterations for each in sweep.runs)


def test_a_grid_is_drawn_cell_by_cell() -> None:
    rates, momenta = [0.1, 1.0, 10.0], [0.0, 0.5]
    runs = [
        halving(
            10 * i + j, 0.3 + 0.1 * i + 0.05 * j,
            **{"optimizer.lr": lr, "optimizer.momentum": momentum},
        )
        for i, lr in enumerate(rates)
        for j, momentum in enumerate(momenta)
    ]  # fmt: skip
    surface = next(p for p in make_pictures(Comparison.of(Runs(runs))) if p.name == "heat_map")
    assert isinstance(surface, Surface)
    assert surface.x.tolist() == rates
    assert surface.y.tolist() == momenta
    assert surface.z.T.ravel().tolist() == [each.iterations for each in runs]


class Links(html.parser.HTMLParser):
    """Collects what a page would load, and the text of its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        self.loaded += [
            named[key] or "" for key in ("src", "href", "data", "poster") if key in named
        ]
        if named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named["content"] or ""


def hostile(number: int, factor: float) -> TrackedRun:
    """A run whose every text is an attack."""
    found = halving(number, factor, **{"optimizer.lr": 0.1 * number, "seed": f"{HOSTILE}{number}"})
    object.__setattr__(found, "name", HOSTILE)
    object.__setattr__(
        found, "params", {**found.params, HOSTILE: json.dumps(HOSTILE + str(number))}
    )
    return found


def test_the_page_loads_nothing_and_holds_no_element_of_a_runs_making() -> None:
    plain = Comparison.of(Runs([halving(1, 0.5, seed="a"), halving(2, 0.6, seed="b")]))
    attacked = Comparison.of(Runs([hostile(1, 0.5), hostile(2, 0.6)]))
    seen = []
    for comparison in (plain, attacked):
        links = Links()
        links.feed(html_page(comparison, make_pictures(comparison)))
        assert links.loaded == []
        assert "default-src 'none'" in links.policy
        assert links.tags.count("script") == 3
        assert "img" not in links.tags
        seen.append(set(links.tags) - {"br"})
    assert seen[0] == seen[1]


def test_the_figures_of_the_page_read_back_and_their_texts_are_escaped() -> None:
    comparison = Comparison.of(Runs([hostile(1, 0.5), hostile(2, 0.6)]))
    text_ = html_page(comparison, make_pictures(comparison))
    begin = text_.index('id="figures">') + len('id="figures">')
    figures = json.loads(text_[begin : text_.index("</script>", begin)])
    said = json.dumps(figures)
    assert "<script" not in said
    assert "<img" not in said
    assert "&lt;script" in said


@pytest.mark.slow
def test_hostile_names_are_drawn_as_they_stand() -> None:
    comparison = Comparison.of(Runs([hostile(1, 0.5), hostile(2, 0.6)]))
    for picture in make_pictures(comparison):
        assert render_png(picture).startswith(b"\x89PNG")


class Sections(html.parser.HTMLParser):
    """Where tables and headings of a page are: inside a folded part or not."""

    def __init__(self) -> None:
        super().__init__()
        self.folded = 0
        self.rows: list[tuple[bool, int]] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "details":
            self.folded += 1
        elif tag == "table":
            self.rows.append((self.folded > 0, 0))
        elif tag == "tr" and self.rows:
            self.rows[-1] = (self.rows[-1][0], self.rows[-1][1] + 1)

    def handle_endtag(self, tag: str) -> None:
        self.folded -= tag == "details"


def test_answer_curves_thresholds_and_differences_come_before_the_long_tables(
    sweep: Comparison,
) -> None:
    text_ = html_page(sweep, make_pictures(sweep))
    body = text_[text_.index("<body>") :]
    order = [
        f'<p class="answer">{answer(sweep)}',
        'id="chart-loss-0"',
        'id="chart-iterations_by_lr-0"',
        'id="chart-fewest-0"',
        "reached by",
        "What differs",
        "<details>",
    ]
    places = [body.index(each) for each in order]
    assert places == sorted(places)
    found = Sections()
    found.feed(body)
    assert [rows for folded, rows in found.rows if folded] == [43, 45]  # headings, all runs
    assert all(rows < 12 for folded, rows in found.rows if not folded)


def test_the_answer_is_a_sentence(sweep: Comparison, benchmark: Comparison) -> None:
    assert answer(sweep) == (
        "Trial 0 needs the fewest iterations of 42 runs: 6, "
        "with optimizer.lr = 1 and optimizer.momentum = 0."
    )
    assert answer(benchmark) == (
        "On p0 trial 0 needs the fewest iterations of 6 runs: 8, "
        "with optimizer.name = r0 and seed = 0. "
        "On p1 trial 100 needs the fewest iterations of 6 runs: 10, "
        "with optimizer.name = r0 and seed = 0."
    )
    far, near = (run(n, [1.0, y], **{"optimizer.lr": 2.0 + n}) for n, y in ((1, 0.9), (2, 0.8)))
    none = Comparison.of(Runs([far, near]))
    assert none.best is near
    assert answer(none).startswith("No run converged; trial 2 came nearest")
    name, value = summary_lines(none)[0]
    assert (name, value.partition("), ")[2]) == ("nearest", "loss 0.8; none converged")
    assert repeat_title(none) == "repeat the nearest with"
    assert [name for name, _ in summary_lines(sweep)].count("goal") == 0
    parent = run(9, [1.0], **{"optimizer.lr": 1.0})
    value = replace(
        parent,
        params={"sweep.objective": "value_at:20"},
        tags={"gdexp.best_run": far.run_id},
    )
    assert dict(summary_lines(Comparison.of(Runs([far, near], value))))["goal"] == (
        f"the sweep's is value_at:20, and its best is run {far.short}; "
        "here hitting times rank the runs, then final losses"
    )
    lost = Comparison.of(Runs([run(1, [1.0, 0.9], **{"optimizer.lr": 2.0})]))
    assert answer(lost) == (
        "The run did not converge; trial 1 came nearest: max_iterations after 1 iteration."
    )


def test_ten_curves_have_names_and_the_others_are_grey(sweep: Comparison) -> None:
    chart = make_pictures(sweep)[0]
    assert isinstance(chart, Chart)
    curves = [series for series in chart.series if series.kind == "line"]
    named = [series for series in curves if series.legend]
    assert [series.name for series in named] == [sweep.label(r) for r in sweep.ranked[:10]]
    assert len({series.colour for series in named}) == 10
    assert {series.colour for series in curves if not series.legend} == {GREY}
    assert len(curves) == 42


def test_ticks_of_counts_are_whole_numbers() -> None:
    few = Comparison.of(Runs([halving(1, 0.03), halving(2, 0.02)]))
    chart = next(p for p in make_pictures(few) if p.name == "fewest")
    assert isinstance(chart, Chart)
    ticks = matplotlib_figures._chart(chart).axes[0].get_yticks()
    assert [tick for tick in ticks if tick != round(tick)] == []
    (figure,) = plotly_json(chart)
    assert figure["layout"]["yaxis"]["dtick"] == 1


def test_numbers_in_cells_are_dark_on_light_and_light_on_dark() -> None:
    values = np.linspace(0, 1, 36).reshape(6, 6)
    figure = matplotlib_figures._images(Images("final", "finals", [("a", values)]))
    (image,) = figure.axes[0].images
    for text_, colour in zip(figure.axes[0].texts, image.to_rgba(values.ravel()), strict=True):
        shares = (0.2126, 0.7152, 0.0722)
        behind = float(((colour[:3] ** 2.2) * shares).sum())
        letters = {"black": 0.0, "white": 1.0}[str(text_.get_color())]
        darker, lighter = sorted((behind, letters))
        assert (lighter + 0.05) / (darker + 0.05) > 3  # the least contrast of large text in WCAG


@pytest.mark.parametrize("decades", [0.5, 1.5, 6.0])
def test_log_axes_are_labelled_with_numbers(decades: float) -> None:
    x = np.array([1e4, 10 ** (4 + decades)])
    chart = Chart("a", "a", "x", "y", [Series("s", x, x)], x_log=True, y_log=True)
    axis = plotly_json(chart)[0]["layout"]["xaxis"]
    assert ("ticktext" in axis) == (decades < 2)
    if decades < 2:
        assert axis["ticktext"][:2] == ["10,000", "20,000"]
        assert axis["tickvals"][:2] == [1e4, 2e4]


def test_a_table_drops_columns_until_it_fits() -> None:
    table = Table(["run", "a", "b"], [["x" * 10, "y" * 10, "z" * 10]], keep=["a", "b"])
    assert table.fitted(34).headings == ["run", "a", "b"]
    fitted = table.fitted(33)
    assert (fitted.headings, fitted.dropped) == (["run", "a"], ["b"])
    assert fitted.rows == [["x" * 10, "y" * 10]]
    assert table.fitted(1).headings == ["run"]


def test_of_many_runs_the_best_are_shown_and_the_others_counted(sweep: Comparison) -> None:
    table = differences_table(sweep, most=5)
    assert [row[0] for row in table.rows] == [each.short for each in sweep.ranked[:5]]
    assert table.more == 37


@pytest.mark.parametrize("width", [40, 78, 120])
def test_the_text_plot_keeps_to_its_width(sweep: Comparison, width: int) -> None:
    lines = plot_lines(sweep, width)
    assert lines
    assert all(len(line.plain) <= width for line in lines[:15])
    letters = {line.plain.strip()[0] for line in lines[-6:]}
    drawn = "".join(line.plain for line in lines[:14])
    assert letters == set("abcdef")
    assert all(letter in drawn for letter in letters)


def test_a_plot_of_nothing_is_nothing() -> None:
    assert plot_lines(Comparison.of(Runs([run(1, [0.0])]))) == []
    assert make_pictures(Comparison.of(Runs([run(1, [0.0])])))


def test_a_diverging_run_does_not_flatten_the_others() -> None:
    wild = run(1, [1.0, 1e100, 1e300, math.inf])
    chart = make_pictures(Comparison.of(Runs([halving(2, 0.5), wild])))[0]
    assert isinstance(chart, Chart)
    assert max(np.nanmax(series.y) for series in chart.series) <= 1e3


@pytest.mark.slow
def test_a_path_is_walked_again_bit_for_bit_or_not_at_all(here: Path) -> None:
    store = Store(TrackingSettings())
    values = {"problem": {"name": "booth", "x0": None}, "optimizer.lr": 0.05}
    run_id = record(store, RunHeader("booth", "run"), **values)
    (found,) = load_runs(run_id)
    walked = descent_path(found)
    assert walked is not None
    assert walked.shape == (found.iterations + 1, 2)
    x, y = walked.T
    losses = (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2
    assert losses == pytest.approx(found.trace, rel=1e-2, abs=1e-6)
    assert "paths" in [p.name for p in make_pictures(Comparison.of(load_runs(run_id)))]
    found.__dict__["final"] = found.final + np.float32(1e-3)
    assert descent_path(found) is None


@pytest.mark.slow
def test_the_command_that_is_shown_is_the_runs_own(here: Path) -> None:
    store = Store(TrackingSettings())
    _, children = swept(store, 0.5, 4.5)
    comparison = Comparison.of(load_runs())
    (command,) = repeat_commands(comparison)
    assert command == "python -m gdexp optimizer.lr=4.5 stopping.max_iterations=1000 engine=torch"
    assert comparison.best.run_id == children[1]
    attacked = comparison.best
    attacked.__dict__["config"] = {**attacked.config, "problem": {"name": "../../etc/passwd"}}
    assert repeat_command(attacked) is None


def test_the_stability_limit_is_two_over_the_largest_eigenvalue(here: Path) -> None:
    swept(Store(TrackingSettings()), 0.5, 4.5, 9.5)
    drawn = make_pictures(Comparison.of(load_runs()))
    chart = next(p for p in drawn if p.name == "iterations_by_lr")
    assert isinstance(chart, Chart)
    (limit,) = [series for series in chart.series if series.kind == "dashes"]
    assert limit.x == pytest.approx([9.0, 9.0])
    (target,) = [p for p in drawn if isinstance(p, Images)]
    assert target.panels[-1][0] == "target"
    assert target.panels[-1][1].ravel() == pytest.approx(np.arange(1, 10) / 10)


@pytest.mark.slow
def test_a_page_of_a_thousand_runs_stays_small() -> None:
    runs = [
        run(i, np.geomspace(1, 1e-3 * (1 + i / 1000), 1000).tolist(), **{"optimizer.lr": i + 1.0})
        for i in range(1000)
    ]
    comparison = Comparison.of(Runs(runs, sweep=halving(5000, 0.5)))
    empty = io.StringIO(html_page(comparison, []))
    written = html_page(comparison, make_pictures(comparison))
    assert len(written) - len(empty.getvalue()) < 2_000_000
