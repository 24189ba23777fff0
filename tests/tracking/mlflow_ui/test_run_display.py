"""What a run looks like in MLflow: colours that can be told apart, names, log scales, pictures."""

from __future__ import annotations

import io
import math
import re
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gdexp.descent.stopping import Status
from gdexp.tracking.mlflow_ui import run_display
from tests.support.names import STATUSES

pytestmark = pytest.mark.usefixtures("real_pictures")

EYES = {
    "all colours": np.eye(3),
    # Machado, Oliveira and Fernandes (2009), for linear light, severity 1.
    "no red": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "no green": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}

NOTICED = 10.0
"""A difference in CIELAB that is seen at once; 2.3 can just be noticed."""


def lab(colour: str, eyes: str) -> np.ndarray:
    """A colour as these eyes see it, in CIELAB."""
    coded = np.array(list(bytes.fromhex(colour[1:]))) / 255
    light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    to_xyz = [
        [0.4124, 0.3576, 0.1805],
        [0.2126, 0.7152, 0.0722],
        [0.0193, 0.1192, 0.9505],
    ]
    xyz = np.array(to_xyz) @ np.clip(EYES[eyes] @ light, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eyes", EYES)
def test_statuses_differ_for_every_eye_whatever_the_shade(eyes: str) -> None:
    seen = {
        status: [lab(run_display.status_colour(status, i), eyes) for i in range(5)]
        for status in Status
        # These share a hue.
        if status not in ("pruned", "plateau", "out_of_time", "max_epochs", "finished")
    }
    for one, other in combinations(seen, 2):
        nearest = min(float(np.linalg.norm(a - b)) for a in seen[one] for b in seen[other])
        assert nearest > NOTICED, f"{one} and {other}: {nearest:.1f}"


@pytest.mark.parametrize("status", [*STATUSES, "of another version"])
def test_neighbours_of_one_status_differ_a_little(status: str) -> None:
    colours = [run_display.status_colour(status, number) for number in range(20)]
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours)
    assert len(set(colours)) == 5
    assert all(one != other for one, other in pairwise(colours))


@pytest.mark.parametrize(
    ("number", "parameters", "title"),
    [
        (12, {"optimizer.lr": 4.2134, "stopping.threshold": 1e-5}, "0012 lr=4.213 threshold=1e-5"),
        (0, {}, "0000"),
        (12345, {"seed": 3}, "12345 seed=3"),
        (1, {"optimizer": "adam", "optimizer.lr": 0.5}, "0001 optimizer=adam lr=0.5"),
        (2, {"a.b.lr": 1.0, "c.b.lr": 2.0, "b.lr": 3}, "0002 a.b.lr=1 c.b.lr=2 b.lr=3"),
        (3, {"problem.rotated": True, "x": None}, "0003 rotated=True x=None"),
        (4, {"optimizer.lr": 1.23456e20}, "0004 lr=1.235e20"),
    ],
)
def test_a_title_says_what_differs(number: int, parameters: dict[str, object], title: str) -> None:
    assert run_display.trial_title(number, parameters) == title


def test_a_long_title_is_cut() -> None:
    title = run_display.trial_title(1, {f"key_{i}": "value" * 5 for i in range(20)})
    assert len(title) == run_display.MOST_CHARACTERS
    assert title.endswith("…")


@given(st.dictionaries(st.text("ab.", min_size=1), st.floats() | st.text("x"), max_size=5))
def test_titles_are_one_short_line(parameters: dict[str, object]) -> None:
    title = run_display.trial_title(7, parameters)
    assert title.startswith("0007")
    assert len(title) <= run_display.MOST_CHARACTERS


def test_powers_of_ten_of_positive_numbers_only() -> None:
    given = {"a": 100, "b": 0.001, "c": 0, "d": -1.0, "e": True, "f": "gd", "g": None}
    metrics = {"hitting_time": 10.0, "iterations": 0, "max_loss": math.inf, "seconds": 5.0}
    assert run_display.chart_metrics(given, metrics) == {
        "log10/a": 2.0,
        "log10/b": -3.0,
        "log10/hitting_time": 1.0,
    }
    assert run_display.chart_metrics({}, {}) == {}


@pytest.mark.slow
@pytest.mark.parametrize("size", [(300, 100), (100, 300), (3000, 1000)])
def test_a_picture_is_kept_whole_with_a_square_copy_to_show(size: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", size, "#123456").save(buffer, format="png")
    png = buffer.getvalue()
    made = run_display.image_artifacts("final x", png, step=3, timestamp=1_700_000_000_000)
    whole, shown = sorted(made, key=len)
    assert made[whole] == png
    pattern = r"images/final x\+step\+3\+timestamp\+1700000000000\+[0-9a-f-]{36}"
    assert re.fullmatch(pattern + r"\.png", whole)
    assert shown == whole.removesuffix(".png") + "+compressed.webp"
    with Image.open(io.BytesIO(made[shown])) as copy:
        assert copy.format == "WEBP"
        assert copy.width == copy.height == min(max(size), run_display.PICTURE_WIDTH)
        assert copy.getpixel((copy.width // 2, 5)) == (0x12, 0x34, 0x56)
    assert run_display.image_artifacts("final x", png, step=3, timestamp=1_700_000_000_000) == made


@pytest.mark.slow
def test_the_names_are_those_that_mlflow_gives(tmp_path: object) -> None:
    """MLflow's own writer, asked for its names without a store."""
    from mlflow import MlflowClient

    names: list[str] = []

    class Listening(MlflowClient):
        def _log_artifact_helper(self, run_id: str, artifact_file: str) -> io.BytesIO:  # type: ignore[override]
            names.append(artifact_file)
            raise StopIteration

    buffer = io.BytesIO()
    image = Image.new("RGB", (9, 3))
    image.save(buffer, format="png")
    with pytest.raises(StopIteration):
        Listening("sqlite://").log_image("0" * 32, image, key="final x", step=2, timestamp=5)
    ours = min(run_display.image_artifacts("final x", buffer.getvalue(), 2, 5), key=len)
    hidden = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.sub(hidden, "ID", names[0]) == re.sub(hidden, "ID", ours)
