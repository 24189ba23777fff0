"""The documentation site in a real browser, which can reach this machine alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from documentation import site
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.integration.conftest import browser

pytestmark = pytest.mark.browser

PATIENCE = 60
"""Seconds that a page may take on a machine that others use too."""

WITHIN = "[...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)"
"""The roots of the page's own elements: the search is one."""

FIELD = f"return {WITHIN}.map(root => root.querySelector('input')).find(Boolean)"
RESULTS = f"return {WITHIN}.flatMap(r => [...r.querySelectorAll('a')].map(link => link.href))"

SIZES = {"wide": (1440, 900), "narrow": (390, 844)}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    built = site.build(tmp_path_factory.mktemp("docs"))
    with site.server(built, 0) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    found = browser()
    assert found is not None
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    for flag in (
        *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(found[1]))
    try:
        yield started
    finally:
        started.quit()


def test_search_finds_a_page_without_a_network(
    driver: webdriver.Chrome, address: str, tmp_path: Path
) -> None:
    given = os.environ.get("GDEXP_SCREENSHOTS")
    screenshots = Path(given) if given else tmp_path
    screenshots.mkdir(parents=True, exist_ok=True)

    def seen(css: str, text: str = "") -> bool:
        return any(text in each.text for each in driver.find_elements(By.CSS_SELECTOR, css))

    for scheme in ("light", "dark"):
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        for name, (width, height) in SIZES.items():
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            driver.get(f"{address}/explanation/hitting-time.html")
            driver.execute_script("localStorage.clear()")  # the colours that it remembers
            driver.refresh()
            WebDriverWait(driver, PATIENCE).until(lambda _: seen("h1", "Hitting time"))
            shown = driver.execute_script("return document.body.dataset.mdColorScheme")
            assert shown == {"light": "default", "dark": "slate"}[scheme]
            code = "return document.documentElement.scrollWidth - window.innerWidth"
            assert driver.execute_script(code) <= 0, "the page is wider than the window"
            driver.save_screenshot(str(screenshots / f"site-{name}-{scheme}.png"))
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.set_window_size(1440, 900)
    driver.get(f"{address}/index.html")
    driver.find_element(By.CSS_SELECTOR, ".md-search__button").click()
    WebDriverWait(driver, PATIENCE, ignored_exceptions=[WebDriverException]).until(
        lambda _: driver.execute_script(FIELD).send_keys("Kaplan") is None
    )
    WebDriverWait(driver, PATIENCE).until(
        lambda _: any("censoring.html" in each for each in driver.execute_script(RESULTS))
    )
    driver.save_screenshot(str(screenshots / "site-search.png"))
    errors = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []
