"""The look of a run in MLflow's lists and charts: name, colour, log scales, picture.

By default MLflow shows equal names, colours without meaning, charts without log axes, and no
arrays. This module returns plain names and values for the record of a run; it does not import
MLflow.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
import math
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

COLOUR_TAG = "mlflow.runColor"
"""The run tag that holds the colour of a run in MLflow's charts and lists."""

IMAGES_TAG = "mlflow.loggedImages"
"""The run tag that makes MLflow look for pictures of a run; its value is True."""

LOG_SCALE = "log10/"
"""Prefix of metrics that hold powers of ten, for charts in which MLflow has no log axis."""

ON_LOG_SCALES = ("iterations", "hitting_time", "min_loss", "max_loss")
"""Metrics that differ by many orders of magnitude."""

MOST_CHARACTERS = 100
"""Most characters of a run name. MLflow's lists cut names earlier; its pages show them whole."""

PICTURE_WIDTH = 1024
"""Width in pixels of the copy of a picture that MLflow's cards show."""

# The palette of Okabe and Ito, changed so that any two colours differ in all shades for
# colour-blind people too; a test computes this.
_HUES = {
    "converged": "#0072b2",
    "max_iterations": "#eda100",
    "diverged": "#b8352a",
    "stalled": "#e59ad0",
    "capped": "#999999",
    "below_minimum": "#28e080",
    "failed": "#111111",
}
# Ends that mean the same to a reader of curves have one colour: there is no room for more hues.
_HUES |= {
    "pruned": _HUES["capped"],
    "plateau": _HUES["stalled"],
    "out_of_time": _HUES["max_iterations"],
    "max_epochs": _HUES["max_iterations"],
    "finished": _HUES["converged"],
}
_OTHER = "#444444"
_SHADES = (0.0, -0.10, 0.10, -0.05, 0.05)
"""Changes of lightness that tell curves of one status apart; the first is the colour itself."""

_MOST_SHADED = "converged"
"""The status of most curves. The others are shaded less, to stay recognisable."""


def status_colour(status: str, number: int = 0) -> str:
    """Return the colour of a run in MLflow, `#rrggbb`, for the tag `COLOUR_TAG`.

    The hue shows the status. The lightness tells curves of one status apart, and repeats.

    Args:
        status: how the descent ended. Other texts give dark grey.
        number: the trial's number, or another number that differs between runs.
    """
    return _shaded(status, number % len(_SHADES))


@lru_cache(64)
def _shaded(status: str, shade: int) -> str:
    colour = _HUES.get(status, _OTHER)
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    change = _SHADES[shade] * (1.0 if status == _MOST_SHADED else 0.4)
    shaded = colorsys.hls_to_rgb(hue, lightness + change, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in shaded)


def trial_title(number: int, parameters: Mapping[str, Any]) -> str:
    """Return a trial's name: its number and its parameters, `0012 lr=4.21 threshold=1e-5`.

    Args:
        number: the trial's number. It comes first so that names sort in the order of the trials.
        parameters: the swept keys with the trial's values, in the order of the space.
    """
    words = [
        f"{short}={_value(parameters[key])}"
        for key, short in zip(parameters, _short_keys(tuple(parameters)), strict=True)
    ]
    title = " ".join([f"{number:04d}", *words])
    return title if len(title) <= MOST_CHARACTERS else title[: MOST_CHARACTERS - 1] + "…"


def chart_metrics(parameters: Mapping[str, Any], metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the powers of ten of what charts show on log scales, as metrics of the run.

    MLflow's scatter, contour and parallel charts have linear axes only. There values from 1e-8 to
    1e-1 are one point, and one diverged trial flattens all others.

    Args:
        parameters: values by config key; only positive numbers are used.
        metrics: the run's single numbers; only `ON_LOG_SCALES` are used. 0 and infinity are left
            out.
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
    """Return the artifacts that make MLflow show a picture on an image card.

    The card reads everything from the names of the files. MLflow does not document them (they are
    those of `log_image` in 3.17). The same picture gets the same name, so it is harmless to write
    it again. The run needs the tag `IMAGES_TAG` too.

    Args:
        key: the card's title, of letters, digits, spaces and `_-.`
        png: the picture in full size.
        step: the position on the card's slider.
        timestamp: milliseconds since 1970.

    Returns:
        Path to content: the picture, and the copy that the card draws. MLflow's own copy would be
        256 pixels wide, too small to read numbers; this one is larger.
    """
    digest = hashlib.sha256(png).digest()[:16]
    name = f"images/{key}+step+{step}+timestamp+{timestamp}+{uuid.UUID(bytes=digest)}"
    return {f"{name}.png": png, f"{name}+compressed.webp": _shown_copy(png)}


def _shown_copy(png: bytes) -> bytes:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        shown = image.convert("RGB")
    shown.thumbnail((PICTURE_WIDTH, PICTURE_WIDTH))
    # The card centres it in a square, and only the upper part is seen without scrolling.
    side = max(shown.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(shown, ((side - shown.width) // 2, 0))
    buffer = io.BytesIO()
    # The quickest of the lossless settings whose file stays small: 0.03 s instead of 0.08.
    square.save(buffer, format="webp", lossless=True, method=1, quality=0)
    return buffer.getvalue()


@lru_cache(64)
def _short_keys(keys: tuple[str, ...]) -> list[str]:
    """Return the last part of each key, or as many last parts as make it unique."""
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
