"""Names, values and tags that are HTML, scripts or links stay words in every page of ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from gdexp.cli.main import main
from gdexp.config.overrides import literal
from gdexp.tracking.mlflow_ui import chart_views
from gdexp.tracking.settings import TrackingSettings
from gdexp.ui.server import Server
from tests.integration.conftest import browser
from tests.support.eyes import FLAGS
from tests.support.ports import free_port

pytestmark = pytest.mark.browser

PATIENCE = 60
"""Seconds that a page may take on a machine that others use too."""

DEED = "window.owned=1"
IMAGE = f"<img src=x onerror={DEED}>"
SCRIPT = f"</script><script>{DEED}</script>"
QUOTED = f'"><svg onload={DEED}>'
LINK = f"[x](javascript:{DEED})"
MARKDOWN = f"| **b** | <a href=javascript:{DEED}>y</a> ![z](x) `c`"
SHORT = "<img src=x onerror=a()>"
ANCHOR = '<a href="javascript:a">y'
PAYLOADS = (IMAGE, SCRIPT, QUOTED, LINK, MARKDOWN, SHORT, ANCHOR)
"""The last two are as long as what is shown of a value in tables and legends."""

OWN = f"""
from gdexp import Problem


class Hostile(Problem):
    name = {IMAGE!r}
    shape = (2,)
    f_star = 0.0

    def __init__(self, note=""):
        super().__init__()

    def loss(self, x):
        return (x * x).sum()
"""
PROBLEM = (
    *("problem=custom", "problem.path=hostile_names.Hostile"),
    *("optimizer.lr=0.1", "stopping.max_iterations=100"),
)

ALIVE = """
return {
  owned: window.owned ?? null,
  images: [...document.querySelectorAll('img[src="x"], img[onerror]')].length,
  drawings: [...document.querySelectorAll('svg[onload]')].length,
  links: [...document.querySelectorAll('a')]
    .map(a => `${a.getAttribute('href')} ${a.getAttribute('xlink:href')}`)
    .filter(to => to.toLowerCase().includes('javascript:')).length,
}
"""


@dataclass(frozen=True)
class Made:
    """A folder with two runs that were renamed, and a sweep, compared.

    Attributes:
        folder: where the runs were made.
        experiment: its id.
        sweep: the id of its run.
        runs: the ids of the two.
    """

    folder: Path
    experiment: str
    sweep: str
    runs: list[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("hostile")
    library = tmp_path_factory.mktemp("library")
    (library / "hostile_names.py").write_text(OWN)
    experiment = f"tracking.experiment={literal(IMAGE)}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(library))
        for note in (LINK, MARKDOWN):
            arguments = f"problem.arguments={{note:{literal(note)}}}"
            assert main([*PROBLEM, experiment, arguments]) == 0
        notes = ",".join(f"{{note:{literal(payload)}}}" for payload in PAYLOADS)
        assert main(["-m", *PROBLEM, experiment, f"problem.arguments={notes}"]) == 0
        client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
        found = client.get_experiment_by_name(IMAGE)
        assert found is not None
        number = str(found.experiment_id)
        runs = [r.info.run_id for r in client.search_runs([number], chart_views.SINGLE_RUNS)]
        for run_id, name in zip(runs, (SCRIPT, QUOTED), strict=True):
            client.update_run(run_id, name=name)
            client.set_tag(run_id, "note", MARKDOWN)
        (sweep,) = client.search_runs([number], "tags.`gdexp.kind` = 'sweep'")
        client.update_run(sweep.info.run_id, name=IMAGE)
        assert main([f"+compare=[{','.join(runs)}]", experiment]) == 0
        assert main([f"+compare={sweep.info.run_id}", experiment]) == 0
        yield Made(folder, number, str(sweep.info.run_id), runs)
    sys.modules.pop("hostile_names", None)


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    found = browser()
    assert found is not None
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    for flag in FLAGS:
        options.add_argument(flag)
    running = webdriver.Chrome(options=options, service=Service(found[1]))
    try:
        yield running
    finally:
        running.quit()


def inert(driver: webdriver.Chrome, *words: str) -> None:
    """Wait for a page that shows these words, and see that nothing of them has come to life.

    Tables that are folded are opened first.
    """

    def shown(_: object) -> bool:
        text = driver.execute_script(
            "document.querySelectorAll('details').forEach(each => { each.open = true });"
            "return document.body.innerText"
        )
        return all(" ".join(word.split()) in " ".join(text.split()) for word in words)

    WebDriverWait(driver, PATIENCE).until(shown)
    found = driver.execute_script(ALIVE)
    assert found == {"owned": None, "images": 0, "drawings": 0, "links": 0}


def test_the_report_of_runs_shows_names_and_values_as_words(
    made: Made, driver: webdriver.Chrome
) -> None:
    (report,) = (made.folder / "compare").rglob("report.html")
    driver.get(report.as_uri())
    inert(driver, SCRIPT, QUOTED)


def test_the_report_of_a_sweep_shows_names_and_values_as_words(
    made: Made, driver: webdriver.Chrome
) -> None:
    (report,) = (made.folder / "mlartifacts").rglob("report.html")
    driver.get(report.as_uri())
    inert(driver, IMAGE, SHORT, ANCHOR, LINK[:20], MARKDOWN[:20])


def test_descriptions_and_charts_in_mlflow_show_them_as_words(
    made: Made, driver: webdriver.Chrome
) -> None:
    settings = TrackingSettings(uri=f"sqlite:///{made.folder / 'mlflow.db'}", experiment=IMAGE)
    with Server(settings, free_port()) as server:
        for place, *words in (
            (chart_views.run_link(made.experiment, made.sweep), "Best of 7 trials", IMAGE),
            (chart_views.run_link(made.experiment, made.runs[0]), "bit for bit", SCRIPT, MARKDOWN),
            (chart_views.children_link(made.experiment, made.sweep), *PAYLOADS),
        ):
            driver.get("about:blank")
            driver.get(f"{server.address}/#{place}")
            inert(driver, *words)
