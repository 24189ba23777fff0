"""What a run looks like in MLflow's lists and charts: name, colour, log scales, picture.

MLflow's own defaults answer other questions than ours: a list of equal names, colours that
mean nothing, charts without log axes, arrays that it cannot draw. Everything here is plain
names and values for a run's record; MLflow itself is not needed.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

COLOUR_TAG = "mlflow.runColor"
"""The run tag that MLflow's charts and lists take a run's colour from."""

IMAGES_TAG = "mlflow.loggedImages"
"""The run tag without which MLflow does not look for a run's pictures; its value is True."""

LOG_SCALE = "log10/"
"""What the names of metrics begin with that are there for axes which MLflow cannot make log."""

ON_LOG_SCALES = ("iterations", "hitting_time", "min_loss", "max_loss")
"""The metrics that charts compare over many orders of magnitude."""

MOST_CHARACTERS = 100
"""Longest run name: MLflow's lists cut them far earlier, its pages show them whole."""

PICTURE_WIDTH = 1024
"""Pixels across the copy of a picture that MLflow's cards show."""

# After Okabe and Ito, changed until every two differ for colour-blind eyes too, in all shades;
# a test reckons that. The dot of a list and the line of a chart have the same colour.
_HUES = {
    "converged": "#0072b2",
    "max_iterations": "#eda100",
    "diverged": "#b8352a",
    "stalled": "#e59ad0",
    "capped": "#999999",
}
_OTHER = "#444444"
_SHADES = (0.0, -0.10, 0.10, -0.05, 0.05)
"""Changes of lightness: first the colour itself, then what tells neighbours apart."""

_MOST_SHADED = "converged"
"""The status of most curves; the others are shaded less, so that they stay recognisable."""


def status_colour(status: str, number: int = 0) -> str:
    """The colour of a run in MLflow, `#rrggbb`, for the tag `COLOUR_TAG`.

    The hue says the status. The lightness only sets curves of one status apart, and repeats.

    Args:
        status: how the descent ended; dark grey for any that is not known.
        number: the trial's number, or anything else that differs between runs.
    """
    colour = _HUES.get(status, _OTHER)
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    change = _SHADES[number % len(_SHADES)] * (1.0 if status == _MOST_SHADED else 0.4)
    shaded = colorsys.hls_to_rgb(hue, lightness + change, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in shaded)


def trial_title(number: int, parameters: Mapping[str, Any]) -> str:
    """A trial's name: its number and what it tries, `0012 lr=4.21 threshold=1e-5`.

    Args:
        number: the trial's number, first so that names sort in the order of the trials.
        parameters: the swept keys with the trial's values, in the order of the space. What all
            trials share does not tell them apart and stays in their params.
    """
    words = [
        f"{short}={_value(parameters[key])}"
        for key, short in zip(parameters, _short_keys(list(parameters)), strict=True)
    ]
    title = " ".join([f"{number:04d}", *words])
    return title if len(title) <= MOST_CHARACTERS else title[: MOST_CHARACTERS - 1] + "…"


def chart_metrics(parameters: Mapping[str, Any], metrics: Mapping[str, float]) -> dict[str, float]:
    """The powers of ten of what is compared on log scales, as metrics of the run.

    MLflow's scatter, contour and parallel charts have linear axes only. Between 1e-8 and 1e-1
    those show one point, and one diverged trial flattens all others.

    Args:
        parameters: values by config key; those that are positive numbers are taken.
        metrics: the run's single numbers, of which `ON_LOG_SCALES` are taken. A 0 has no
            logarithm and is left out, as is infinity.
    """
    values = {**parameters, **{key: metrics[key] for key in ON_LOG_SCALES if key in metrics}}
    return {
        LOG_SCALE + key: math.log10(value)
        for key, value in values.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 < value < float("inf")
    }


def image_artifacts(key: str, png: bytes, step: int = 0, timestamp: int = 0) -> dict[str, bytes]:
    """A picture as the artifacts that make MLflow show it on an image card.

    The card reads everything from the files' names, which MLflow does not document (read from
    3.17's `log_image`). The same picture gets the same name, so writing it again is harmless.
    The run needs the tag `IMAGES_TAG` too.

    Args:
        key: the card's title, of letters, digits, spaces and `_-.`
        png: the picture, whole when opened.
        step: the place on the card's slider.
        timestamp: milliseconds since 1970.

    Returns:
        Path to content: the picture, and the copy that the card draws. MLflow makes that one
        256 pixels wide, where numbers in a picture cannot be read; ours is larger.
    """
    digest = hashlib.sha256(png).digest()[:16]
    name = f"images/{key}+step+{step}+timestamp+{timestamp}+{uuid.UUID(bytes=digest)}"
    return {f"{name}.png": png, f"{name}+compressed.webp": _shown_copy(png)}


def _shown_copy(png: bytes) -> bytes:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        shown = image.convert("RGB")
    shown.thumbnail((PICTURE_WIDTH, PICTURE_WIDTH))
    # The card centres it in a square of which only the upper part is seen before scrolling.
    side = max(shown.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(shown, ((side - shown.width) // 2, 0))
    buffer = io.BytesIO()
    square.save(buffer, format="webp", lossless=True)
    return buffer.getvalue()


def _short_keys(keys: Sequence[str]) -> list[str]:
    """Each key's last part, or as many of its last parts as no other key shares."""
    found = []
    for key in keys:
        parts = key.split(".")
        others = ["." + other for other in keys if other != key]
        for begin in range(len(parts) - 1, -1, -1):
            short = ".".join(parts[begin:])
            if not any(other.endswith("." + short) for other in others):
                break
        found.append(short)
    return found


def _value(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    mantissa, e, exponent = f"{value:.4g}".partition("e")
    return mantissa + (f"e{int(exponent)}" if e else "")
