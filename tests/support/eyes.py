"""A real browser that looks at pages: waiting, charts, titles, pictures of the page."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"),
    *("--window-size=1440,900", "--hide-scrollbars"),
)
PATIENCE = 120
"""Seconds that a page may take on a machine that others use too."""

WIDTH, HEIGHT = 1440, 900

PANEL = """
return Boolean(document.querySelector('[data-component-id="mlflow.assistant.chat_panel.close"]'))
"""
"""Whether the panel of MLflow's assistant is open."""

TITLES = """
const headers = '[data-testid="experiment-view-compare-runs-section-header"] div';
const cards = '[data-testid="experiment-view-compare-runs-card"] h4';
return [...document.querySelectorAll(`${headers}, ${cards}`)]
  .filter(part => part.children.length === 0 && part.textContent)
  .map(part => [part.textContent, part.scrollWidth <= part.clientWidth])
"""
"""The titles of sections and cards, and whether each is whole."""

IN_SIGHT = """
return [...document.querySelectorAll('.js-plotly-plot')].map(plot => {
  const box = plot.getBoundingClientRect();
  const inside = box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight;
  return [plot.layout.xaxis.title.text, inside && box.right <= innerWidth];
})
"""
"""The label of the horizontal axis of each plot, and whether all of it is in the window."""

IMAGES = """
return [...document.images].filter(image => image.naturalWidth > 0 && image.width > 0)
  .map(image => [decodeURIComponent(image.src), image.getBoundingClientRect().top, image.width])
"""

CURVES = """
return [...document.querySelectorAll('.js-plotly-plot')].filter(plot => plot.layout.yaxis)
  .map(plot => ({
    x: plot.layout.xaxis.type,
    y: plot.layout.yaxis.type,
    label: plot.layout.xaxis.title.text,
    lines: [...new Map(
      [...plot.querySelectorAll('.scatterlayer .trace path.js-line')]
        .map(line => [line.getAttribute('d'), line.style.stroke])
    )].filter(([drawn]) => drawn).map(([, colour]) => colour),
  }))
"""


@dataclass(frozen=True)
class Eyes:
    """A browser, the server it looks at, where pictures go, and whether these are made small."""

    driver: webdriver.Chrome
    base: str
    screenshots: Path
    published: bool

    def open(self, place: str) -> None:
        """A page from nothing; `place` is what follows `#`, or a whole address."""
        self.driver.get("about:blank")
        self.driver.get(place if "://" in place else f"{self.base}/#{place}")

    def until(self, seen: Callable[[], Any]) -> Any:
        """What is seen as soon as it is true."""
        try:
            return WebDriverWait(self.driver, PATIENCE).until(lambda _: seen())
        except Exception:
            self.keep("failed")
            raise

    def run(self, code: str, *arguments: object) -> Any:
        """What a script in the page returns."""
        return self.driver.execute_script(code, *arguments)

    def resize(self, width: int = WIDTH, height: int = HEIGHT) -> None:
        """Give the window a size in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme: str) -> None:
        """Prefer a colour scheme, light or dark."""
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})

    def charts(self) -> list[dict[str, Any]]:
        """The charts that are drawn, with their axes, curves and points.

        MLflow draws every curve twice, once to be seen and once to be pointed at.
        """
        found: list[dict[str, Any]] = self.driver.execute_script(CURVES)
        return found

    def log_curves(self, count: int) -> list[str]:
        """The colours of the loss curves once so many are drawn over steps on a log axis."""
        return next(
            (
                chart["lines"]
                for chart in self.charts()
                if chart["y"] == "log" and chart["label"] == "Step" and len(chart["lines"]) >= count
            ),
            [],
        )

    def picture(self, path: str) -> bool:
        """Whether an image from the run's artifacts is drawn."""
        code = """return [...document.images].some(
            image => decodeURIComponent(image.src).includes(arguments[0])
                && image.complete && image.naturalWidth > 0 && image.width > 0)"""
        return bool(self.driver.execute_script(code, path))

    def scroll_to(self, section: str) -> bool:
        """Bring a section into view; the page draws charts only there. Whether there is one."""
        code = """const headers = '[data-testid="experiment-view-compare-runs-section-header"]';
            const found = [...document.querySelectorAll(headers)].find(
                header => header.textContent.includes(arguments[0]));
            found?.scrollIntoView(); return Boolean(found)"""
        return bool(self.driver.execute_script(code, section))

    def has_text(self, *words: str) -> bool:
        """Whether the page shows all of these."""
        text = self.driver.execute_script("return document.body.innerText")
        return all(word in text for word in words)

    def titles(self) -> dict[str, bool]:
        """The titles of sections and cards, and whether each is whole."""
        return dict(self.driver.execute_script(TITLES))

    def keep(self, name: str) -> None:
        """A picture of the page as it is; one to be published in 256 colours: a quarter as long."""
        path, drawn = self.screenshots / f"{name}.png", self.driver.get_screenshot_as_png()
        if not self.published:
            path.write_bytes(drawn)
            return
        with Image.open(io.BytesIO(drawn)) as seen:
            few = seen.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


@contextmanager
def opened_eyes(
    programs: tuple[str, str], base: str, screenshots: Path, published: bool
) -> Iterator[Eyes]:
    """Open a browser.

    Args:
        programs: chromium and its driver.
        base: the address of the server.
        screenshots: where pictures go; the folder is made.
        published: whether the pictures are for readers, and so are made small.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for flag in FLAGS:
        options.add_argument(flag)
    screenshots.mkdir(parents=True, exist_ok=True)
    driver = webdriver.Chrome(options=options, service=Service(programs[1]))
    driver.set_script_timeout(PATIENCE)  # a hundred curves on a busy machine
    try:
        eyes = Eyes(driver, base, screenshots, published)
        eyes.resize()
        yield eyes
    finally:
        driver.quit()
