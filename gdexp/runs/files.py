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

from gdexp.core import GdexpError
from gdexp.runs.safe_yaml import MAX_CONFIG, parse_config

T = TypeVar("T")
Array = npt.NDArray[Any]

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
