"""What a person sees: MLflow's pages in a real browser, on a sweep that was really run.

The saved views use a format that MLflow does not document, so only a browser can hold them.
Each test leaves a picture of the page: in `$GDEXP_SCREENSHOTS`, or in pytest's own folder. Those
of the README and the site are copies, with the same names, in `.images/`.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import pytest
from mlflow import MlflowClient

from gdexp import Matrix, descend
from gdexp.experiment.experiment import Experiment
from gdexp.experiment.figures import pictures
from gdexp.tracking.database_connection import collect_statistics
from gdexp.tracking.mlflow_ui import chart_views, run_display
from gdexp.tracking.record import Record, RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.integration.conftest import browser
from tests.integration.test_ui import address, links, served
from tests.support.commands import composed, gdexp
from tests.support.eyes import HEIGHT, IMAGES, IN_SIGHT, PANEL, WIDTH, Eyes, opened_eyes
from tests.support.long_form import share

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("real_pictures")]

TRIALS = 12
MANY, POINTS = 1_000, share(1_000)
LOADED = 100
"""Runs that MLflow's page loads at first; a button loads more."""


@dataclass(frozen=True)
class Made:
    """A folder with a sweep, two runs of the command, and a sweep of a thousand trials."""

    folder: Path
    parent: str
    many: str
    many_parent: str
    best: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("reviewed")
    # The threshold is fixed, so that every trial makes some iterations and has a curve.
    gdexp(
        "+sweep",
        f"sweep.n_trials={TRIALS}",
        "stopping.threshold=1e-6",
        "stopping.max_iterations=3000",  # too few for some trials
        cwd=folder,
        quick=False,
    )
    gdexp(cwd=folder, quick=False)
    gdexp("optimizer.lr=3", cwd=folder, quick=False)
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    sweeps = runs(uri, "gdexp", "tags.`gdexp.kind` = 'sweep'")
    store = Store(TrackingSettings(uri=uri, experiment="many"))
    many_parent, best = thousand(store, folder / "mlflow.db")
    return Made(folder, sweeps[0], store.experiment_id, many_parent, best)


def runs(uri: str, experiment: str, condition: str) -> list[str]:
    """Run ids, the newest first."""
    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return [r.info.run_id for r in client.search_runs([found.experiment_id], condition)]


def thousand(store: Store, database: Path) -> tuple[str, str]:
    """A sweep of `MANY` trials with `POINTS` points each; its run and its best trial's."""
    swept = ["optimizer.lr", "stopping.threshold"]
    parent = store.start(RunHeader(name="a thousand trials", kind="sweep"))
    parameters = {"optimizer.lr": 0.01, "stopping.threshold": 1e-6}
    trace = 0.1 * 0.985 ** np.arange(POINTS)
    first = store.start(
        RunHeader(name=run_display.trial_title(0, parameters), kind="trial", parent=parent)
    )
    metrics = {
        "iterations": float(POINTS - 1),
        "hitting_time": POINTS - 1.5,
        "final_loss": float(trace[-1]),
        "min_loss": float(trace.min()),
        "max_loss": float(trace.max()),
    }
    record = Record(
        params={key: repr(value) for key, value in parameters.items()},
        metrics={**metrics, **run_display.chart_metrics(parameters, metrics)},
        trace=trace,
        tags={
            "gdexp.status": "converged",
            run_display.COLOUR_TAG: run_display.status_colour("converged"),
            run_display.IMAGES_TAG: "True",
        },
    )
    store.finish(first, record)
    store.log_files(first, run_display.image_artifacts(chart_views.PICTURE, final_picture()))
    copies(database, first, MANY - 1)
    collect_statistics(database)
    view = chart_views.SweepView(
        "a thousand trials", swept, swept, (1e-9, 10), pictures={chart_views.PICTURE: 0}
    )
    state = chart_views.view_state(parent, view, 1)
    store.client.set_experiment_tag(store.experiment_id, chart_views.view_tag(parent), state)
    store.finish(parent, Record())
    return parent, first


def final_picture() -> bytes:
    """The picture of a real descent's final tensor."""
    experiment = Experiment.from_config(composed())
    result = descend(Matrix(), experiment.rule, experiment.stopping, seed=0)
    return pictures(experiment, result)["final.png"]


def copies(database: Path, run_id: str, count: int) -> None:
    """Copy a run in the database, each time with other losses; through MLflow it takes minutes."""
    with closing(sqlite3.connect(database, timeout=60)) as connection:
        connection.execute("PRAGMA cache_size = -400000")  # all of it: nothing is written twice
        connection.execute("CREATE TEMP TABLE wanted (number INTEGER, id TEXT)")
        rows = [(i, f"{i:032x}") for i in range(1, count + 1)]
        connection.executemany("INSERT INTO wanted VALUES (?, ?)", rows)
        for table in ("runs", "tags", "params", "latest_metrics", "metrics"):
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            taken = ", ".join(instead(table, name) for name in names)
            connection.execute(
                f"INSERT INTO {table} ({', '.join(names)}) "
                f"SELECT {taken} FROM {table} AS old, wanted WHERE old.run_uuid = ?",
                (run_id,),
            )
        connection.commit()


def instead(table: str, name: str) -> str:
    """What stands in a copied row."""
    if name == "run_uuid":
        return "wanted.id"
    if name == "name" and table == "runs":
        return "printf('%04d lr=%.3g', wanted.number, 0.01 + wanted.number / 250.0)"
    if name == "value" and "metrics" in table:
        return "old.value * (1 + wanted.number / 100.0)"
    return f"old.{name}"


@pytest.fixture(scope="module")
def ui(made: Made) -> Iterator[list[str]]:
    """What `scripts/ui` prints; its server runs meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with served(made.folder, "--port", str(port)) as (_, lines):
        yield lines


@pytest.fixture(scope="module")
def eyes(ui: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Eyes]:
    found = browser()
    assert found is not None
    given = os.environ.get("GDEXP_SCREENSHOTS")
    folder = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    with opened_eyes(found, address(ui), folder, bool(given)) as opened:
        yield opened


def test_the_first_screen_of_the_first_printed_link_is_the_answer(
    eyes: Eyes, ui: list[str], made: Made
) -> None:
    first = next(line for line in ui if line.startswith("http"))
    assert first == links(ui)["newest sweep"]
    eyes.open(first)
    assert len(eyes.until(lambda: eyes.log_curves(TRIALS))) == TRIALS

    def table() -> list[float]:
        found: list[tuple[str, float, float]] = eyes.run(IMAGES)
        return [top + width / 3 for src, top, width in found if chart_views.THRESHOLDS in src]

    (lowest,) = eyes.until(table)  # the table is in the upper third of its square
    assert lowest < HEIGHT
    eyes.until(lambda: dict(eyes.run(IN_SIGHT)) == {"Step": True, "log10/optimizer.lr": True})
    found = eyes.titles()
    assert found["log10/optimizer.lr vs. log10/iterations"]
    assert all(found.values()), found
    assert "compareRunsMode=CHART" in eyes.driver.current_url
    assert not eyes.run(PANEL)
    uri = f"sqlite:///{made.folder / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri)
    best = client.get_run(client.get_run(made.parent).data.tags["gdexp.best_run"])
    names = """return [...document.querySelectorAll('[role="gridcell"] a')].map(a => a.innerText)"""
    assert eyes.run(names)[0] == best.info.run_name
    eyes.keep("mlflow-sweep")


def test_the_final_tensor_is_a_picture_on_the_run_s_page(eyes: Eyes, made: Made) -> None:
    uri = f"sqlite:///{made.folder / 'mlflow.db'}"
    newest, *_ = runs(uri, "gdexp", chart_views.SINGLE_RUNS)
    for run_id, name in ((made.parent, "best_final.png"), (newest, "final.png")):
        eyes.open(f"/experiments/1/runs/{run_id}/artifacts/{name}?workflowType=machine_learning")
        shown = f"artifacts/{name}"  # the path that the page shows above the picture
        assert eyes.until(lambda shown=shown: eyes.has_text(shown) and eyes.picture("blob:"))
        eyes.keep(name.removesuffix(".png"))


def test_the_description_is_a_table(eyes: Eyes, made: Made) -> None:
    eyes.open(chart_views.run_link("1", made.parent))
    code = "return [...document.querySelectorAll('table')].map(table => table.innerText)"
    found = eyes.until(lambda: [text for text in eyes.run(code) if text.startswith("threshold")])
    header, *rows = found[0].splitlines()
    assert "fewest of the traces" in header
    assert len(rows) > 5  # thresholds
    eyes.keep("description")


def test_two_trials_are_compared(eyes: Eyes, made: Made) -> None:
    uri = f"sqlite:///{made.folder / 'mlflow.db'}"
    two = runs(uri, "gdexp", f"tags.mlflow.parentRunId = '{made.parent}'")[:2]
    eyes.open(chart_views.compare_link("1", two))
    assert eyes.until(lambda: eyes.has_text("Comparing 2 Runs", *two, "hitting_time"))
    eyes.keep("compare")


def test_one_run_s_losses_open_on_a_log_axis(eyes: Eyes, made: Made) -> None:
    uri = f"sqlite:///{made.folder / 'mlflow.db'}"
    newest, *_ = runs(uri, "gdexp", "tags.`gdexp.kind` = 'run'")
    eyes.open(chart_views.loss_link("1", newest))
    code = """return [...document.querySelectorAll('.js-plotly-plot')]
        .filter(plot => plot.querySelector('path.js-line')).map(plot => plot.layout.yaxis.type)"""
    assert eyes.until(lambda: eyes.run(code)) == ["log"]
    eyes.keep("one-run")


def test_single_runs_have_a_view_of_their_own(eyes: Eyes, made: Made) -> None:
    store = Store(TrackingSettings(uri=f"sqlite:///{made.folder / 'mlflow.db'}"))
    state = chart_views.runs_view_state("single runs", 1)
    store.client.set_experiment_tag(store.experiment_id, chart_views.runs_view_tag(), state)
    eyes.open(chart_views.runs_link(store.experiment_id))
    assert len(eyes.until(lambda: eyes.log_curves(2))) == 2
    assert all(eyes.titles().values())
    assert not eyes.has_text("log10")
    eyes.keep("mlflow-runs")
    newest, *_ = runs(store.settings.mlflow_uri, "gdexp", "tags.`gdexp.kind` = 'run'")
    place = chart_views.run_link(store.experiment_id, newest)
    eyes.open(place.replace("?", "/model-metrics?"))
    assert eyes.until(lambda: eyes.has_text("hitting_time", "hitting_seconds"))
    assert not eyes.has_text("log10")


def test_the_final_loss_has_its_digits_on_the_run_s_page_and_in_the_list(
    eyes: Eyes, made: Made
) -> None:
    uri = f"sqlite:///{made.folder / 'mlflow.db'}"
    _, oldest = runs(uri, "gdexp", chart_views.SINGLE_RUNS)
    final = MlflowClient(tracking_uri=uri).get_run(oldest).data.metrics["final_loss"]
    digits = f"{final:.9f}"
    assert digits == "0.000007006"[: len(digits)]  # the notebook's run
    for place in (
        chart_views.runs_link("1").replace("CHART", "TABLE"),
        chart_views.run_link("1", oldest),
    ):
        eyes.open(place)
        assert eyes.until(lambda: eyes.has_text("final_loss", digits[:9]))
    eyes.keep("mlflow-run")


def test_a_thousand_runs_of_many_points_are_drawn_with_log_scales_and_the_map(
    eyes: Eyes, made: Made
) -> None:
    eyes.open(chart_views.children_link(made.many, made.many_parent))
    curves = eyes.until(lambda: eyes.log_curves(LOADED))
    assert len(curves) == LOADED
    eyes.keep("thousand")
    red, green, blue = bytes.fromhex(run_display.status_colour("converged")[1:])
    assert set(curves) == {f"rgb({red}, {green}, {blue})"}
    axes = """return [...document.querySelectorAll('.js-plotly-plot')]
        .filter(plot => plot.querySelector('path.point'))
        .map(plot => [plot.layout.xaxis.title.text, plot.layout.yaxis.title.text])"""
    eyes.until(
        lambda: (
            eyes.scroll_to("Smallest and largest loss")
            and ["log10/optimizer.lr", "log10/min_loss"] in eyes.run(axes)
        )
    )
    eyes.keep("by-learning-rate")
    kinds = "return [...document.querySelectorAll('.js-plotly-plot')].map(p => p.data[0]?.type)"
    eyes.until(
        lambda: (
            eyes.scroll_to("Swept keys")
            and "contour" in eyes.run(kinds)
            and eyes.has_text("log10/stopping.threshold")
        )
    )
    eyes.keep("swept-keys")


BACKGROUND = "return getComputedStyle(document.body).backgroundColor"
CURVES_OF_REPORT = "return document.querySelectorAll('#chart-loss-0 path.js-line').length"
SORTED = """
const table = document.querySelector('details table');
table.closest('details').open = true;
const at = [...table.rows[0].cells].findIndex(cell => cell.textContent === 'iterations');
table.rows[0].cells[at].querySelector('button').click();
return [...table.tBodies[0].rows].map(
  row => Number(row.cells[at].textContent.replaceAll(',', '')))
"""
"""Click on a heading of the first folded table; the numbers below it."""


def test_the_report_begins_with_the_answer_on_every_screen(eyes: Eyes, made: Made) -> None:
    gdexp(f"+compare={made.parent}", cwd=made.folder, quick=False)
    (report,) = (made.folder / "mlartifacts").rglob("report.html")
    top = "return document.querySelector(arguments[0]).getBoundingClientRect().top"
    try:
        for name, (width, height) in {"wide": (WIDTH, HEIGHT), "narrow": (390, 844)}.items():
            eyes.resize(width, height)
            eyes.open(report.as_uri())
            eyes.until(lambda: eyes.run(CURVES_OF_REPORT) >= TRIALS)
            for scheme, back in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(18, 21, 28)")):
                eyes.prefer(scheme)
                assert eyes.run(top, ".answer") < eyes.run(top, "#chart-loss-0") < height
                assert eyes.run("return document.documentElement.scrollWidth - innerWidth") <= 0
                eyes.until(lambda back=back: eyes.run(BACKGROUND) == back)
                eyes.keep(f"report-{name}-{scheme}")
        folded = "return [...document.querySelectorAll('details')].map(part => part.offsetHeight)"
        assert all(part < 80 for part in eyes.run(folded))  # the height of a heading
        rising, falling = eyes.run(SORTED), eyes.run(SORTED)
        assert rising == sorted(rising)
        assert falling == sorted(rising, reverse=True)
    finally:
        eyes.prefer("light")
        eyes.resize()


def test_optuna_dashboard_has_names_plain_attributes_and_bounded_values(
    eyes: Eyes, made: Made
) -> None:
    plots = """return [...document.querySelectorAll('.js-plotly-plot')].map(plot => [
        plot.layout.yaxis?.title?.text ?? null,
        Math.max(...plot.data.flatMap(trace => [...(trace.y ?? [])]).filter(Number.isFinite)),
    ])"""
    client = MlflowClient(tracking_uri=f"sqlite:///{made.folder / 'mlflow.db'}")
    trials = client.search_runs(["1"], f"tags.mlflow.parentRunId = '{made.parent}'")
    times = {run.info.run_id: run.data.metrics["hitting_time"] for run in trials}
    converged = [
        times[run.info.run_id] for run in trials if run.data.tags["gdexp.status"] == "converged"
    ]
    assert max(times.values()) > 2 * max(converged)
    with served(made.folder, "--optuna") as (_, lines):
        (page,) = (line for line in lines if line.startswith("http"))
        eyes.open(page)
        shown = dict(
            eyes.until(lambda: [plot for plot in eyes.run(plots) if plot[0] == "hitting_time"])
        )
        assert shown["hitting_time"] == pytest.approx(2 * max(converged))
        eyes.keep("optuna-dashboard")
        eyes.open(f"{page}/trials?numbers=0")
        assert eyes.until(lambda: eyes.has_text("status", "final_loss", "MLflow run"))
        assert not eyes.has_text("gdexp.")
        eyes.keep("optuna-trial")
        request = urllib.request.Request(f"{page}", method="DELETE")
        with pytest.raises(HTTPError, match="405"):
            urllib.request.urlopen(request)


CURVES_OF_CARD = """
const cards = [...document.querySelectorAll('[data-testid="experiment-view-compare-runs-card"]')];
const card = cards.find(each => each.querySelector('h4')?.textContent === arguments[0]);
const lines = card?.querySelectorAll('.scatterlayer .trace path.js-line') ?? [];
return new Set([...lines].map(line => line.getAttribute('d')).filter(Boolean)).size
"""
"""How many curves the card of a title shows."""


def test_the_view_of_a_sweep_of_trainings_begins_with_its_validation_curves(
    eyes: Eyes, made: Made
) -> None:
    shutil.copy(Path(__file__).parents[1] / "training/small_training.py", made.folder / "small.py")
    gdexp(
        *("-m", "problem=training", "problem.path=small.Small", "optimizer.lr=0.05,0.1,0.5"),
        *("stopping.metric=accuracy", "stopping.threshold=0.8", "stopping.every=2"),
        *("stopping.max_iterations=80", "tracking.experiment=trainings"),
        cwd=made.folder,
        quick=False,
    )
    uri = f"sqlite:///{made.folder / 'mlflow.db'}"
    (parent,) = runs(uri, "trainings", "tags.`gdexp.kind` = 'sweep'")
    experiment = MlflowClient(tracking_uri=uri).get_run(parent).info.experiment_id
    eyes.open(chart_views.children_link(experiment, parent))
    eyes.until(lambda: eyes.run(CURVES_OF_CARD, "accuracy") == 3)
    assert next(title for title in eyes.titles() if title in ("accuracy", "loss")) == "accuracy"
    eyes.keep("mlflow-trainings")
