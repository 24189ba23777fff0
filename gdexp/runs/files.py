"""The files of a tracked run, read as data from elsewhere: no pickle, no aliases, sizes checked."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import yaml  # type: ignore[import-untyped]

from gdexp.core import GdexpError
from gdexp.descent import Trace
from gdexp.runs.safe_yaml import MAX_CONFIG, parse_config
from gdexp.tracking import check_trace, read_array

T = TypeVar("T")


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


def read_bytes(path: Path, most: int) -> bytes:
    """Read a file of at most so many bytes.

    Raises:
        ValueError: it is larger.
    """
    if path.stat().st_size > most:
        raise ValueError(f"is larger than {most:,} bytes")
    return path.read_bytes()


def read_trace(path: Path) -> Trace:
    """Read a loss trace: float64, shape (n + 1,)."""
    return check_trace(read_array(path))


def read_config(path: Path) -> dict[str, Any]:
    """Read a stored config as plain containers."""
    return parse_config(read_bytes(path, MAX_CONFIG))
