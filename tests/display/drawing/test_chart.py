"""Charts as pictures: what is on them, and that labels do not touch."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence

import pytest
from PIL import Image

from gdexp.display.drawing import canvas
from gdexp.display.drawing.canvas import text_size
from gdexp.display.drawing.chart import Chart

pytestmark = pytest.mark.usefixtures("real_pictures")


def chart(x: Sequence[float], y: Sequence[float]) -> Chart:
    made = Chart(6.4, 3.6, title="a title", x_label="x", y_label="y", x_log=True)
    made.line(x, y, "#ff0000", marker="o", label="a line")
    return made


def test_equal_charts_have_equal_bytes_and_the_size_that_was_asked_for() -> None:
    first, second = (chart([1.0, 10.0], [1.0, 2.0]).png() for _ in range(2))
    assert first == second
    with Image.open(io.BytesIO(first)) as picture:
        assert picture.size == (round(6.4 * canvas.DPI), round(3.6 * canvas.DPI))


def test_a_line_has_its_colour_and_goes_from_end_to_end() -> None:
    with Image.open(io.BytesIO(chart([1.0, 10.0], [1.0, 2.0]).png())) as picture:
        image = picture.convert("RGB")
    red = [
        x
        for x in range(image.width)
        for y in range(image.height)
        if image.getpixel((x, y)) == (255, 0, 0)
    ]
    assert min(red) < image.width / 4
    assert max(red) > image.width * 3 / 4


@pytest.mark.parametrize("high", [1.2, 2.1, 9.0, 40.0, 1e3, 1e8])
def test_labels_of_the_horizontal_axis_do_not_touch(
    high: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[float, float]] = []
    original = canvas.Canvas.text

    def text(
        self: canvas.Canvas, line: str, at: tuple[float, float], *rest: object, **named: object
    ) -> None:
        if named.get("anchor") == "mt":
            half = text_size(line)[0] / 2
            written.append((at[0] - half, at[0] + half))
        original(self, line, at, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(canvas.Canvas, "text", text)
    chart([1000.0, 1000.0 * high], [1.0, 2.0]).png()
    assert written
    written.sort()
    assert all(end < begin for (_, end), (begin, _) in itertools.pairwise(written))
