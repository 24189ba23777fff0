"""The files of a tracked run, read as data from elsewhere: no pickle, no aliases, sizes checked."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import numpy.typing as npt
import yaml  # type: ignore[import-untyped]

from gdexp.errors import GdexpError

T = TypeVar("T")
Array = npt.NDArray[Any]

MAX_CONFIG = 4_000_000
"""Bytes of a stored config that are read at most; a target of 100,000 numbers fits."""

MAX_VALUES = 150_000
"""Values in a stored config, lists and groups among them; reading more would take too long."""

MAX_DEPTH = 32
MAX_SCALAR = 2_000
"""Characters of one value: the time to read a number grows with the square of its length."""

COPIED = 1 << 20
"""A larger array stays in its file, so that a thousand long traces need no memory of their own."""


class Unreadable(GdexpError):
    """A file of a run is missing or is not what its name says."""


class Files:
    """Reads artifacts where they lie, or through MLflow's client when that is elsewhere.

    Args:
        download: `download(run_id, name, folder)` fetches one artifact and returns its path.
    """

    def __init__(self, download: Callable[[str, str, str], str]) -> None:
        self._download = download

    def read(self, run_id: str, home: str, name: str, parse: Callable[[Path], T]) -> T:
        """One artifact, parsed.

        Args:
            run_id: whose.
            home: the run's artifact URI.
            name: of the file.
            parse: what is made of the file; it may not outlive the call.

        Raises:
            Unreadable: one clause that says why.
        """
        parts = urlsplit(home)
        try:
            if parts.scheme in ("", "file") and parts.netloc in ("", "localhost"):
                return parse(Path(url2pathname(parts.path), name))
            with tempfile.TemporaryDirectory() as folder:
                return parse(Path(self._download(run_id, name, folder)))
        except FileNotFoundError:
            raise Unreadable(f"holds no {name}") from None
        except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise Unreadable(f"its {name} cannot be read ({reason})") from None
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in ("mlflow", "requests", "botocore"):
                raise
            raise Unreadable(f"holds no {name} that MLflow can fetch") from error


def read_array(path: Path) -> Array:
    """A `.npy` file; its header may not promise more than the file holds, nor objects."""
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError("is no .npy file")
    # Mapped first: that refuses objects, and a shape for which the file is too short.
    array: Array = np.lib.format.open_memmap(path, mode="r")
    return np.array(array) if path.stat().st_size <= COPIED else array


def read_trace(path: Path) -> npt.NDArray[np.float64]:
    """A loss trace: float64, shape (n + 1,)."""
    trace = read_array(path)
    if trace.ndim != 1 or trace.size == 0 or trace.dtype.kind != "f":
        raise ValueError(f"is no loss trace: {trace.dtype} of shape {trace.shape}")
    return trace.astype(np.float64, copy=False)


def read_config(path: Path) -> dict[str, Any]:
    """A stored config as plain containers."""
    if path.stat().st_size > MAX_CONFIG:
        raise ValueError(f"is larger than {MAX_CONFIG:,} bytes")
    return parse_config(path.read_bytes())


def parse_config(content: bytes) -> dict[str, Any]:
    """YAML as plain containers: no aliases, which a few bytes can multiply into gigabytes, no tags.

    Its events are looked through before anything is built of them.

    Raises:
        ValueError: it is too large, or holds what a config of gdexp never does.
        YAMLError: it is no YAML.
    """
    if len(content) > MAX_CONFIG:
        raise ValueError(f"is larger than {MAX_CONFIG:,} bytes")
    _check_events(content)
    loaded = yaml.load(content, _LOADER)
    if not isinstance(loaded, dict):
        raise ValueError("is no mapping of keys to values")
    return {str(key): value for key, value in loaded.items()}


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _check_events(content: bytes) -> None:
    depth = values = 0
    for event in yaml.parse(content, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("holds aliases")
        if isinstance(event, yaml.NodeEvent):
            values += 1
            if event.anchor is not None:
                raise ValueError("holds anchors")
            tag = getattr(event, "tag", None)
            if tag is not None:
                raise ValueError(f"holds a tag, {tag[:40]}")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent):
            if len(event.value) > MAX_SCALAR:
                raise ValueError(f"holds a value of more than {MAX_SCALAR:,} characters")
            if event.value == "<<":
                raise ValueError("holds a merge key")
        if depth > MAX_DEPTH:
            raise ValueError(f"is nested more than {MAX_DEPTH} deep")
        if values > MAX_VALUES:
            raise ValueError(f"holds more than {MAX_VALUES:,} values")
