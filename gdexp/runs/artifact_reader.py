"""The one reader of a tracked run's files, which anyone may have written.

It reads regular files only, of a bounded size, inside the store; checks each against the run's
manifest; and loads arrays without pickle and configs without aliases.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import yaml  # type: ignore[import-untyped]

from gdexp.core import GdexpError, open_regular
from gdexp.descent import Trace
from gdexp.runs.manifest import MOST_JSON, is_unaltered, parse_manifest, size_limit
from gdexp.runs.safe_yaml import MAX_CONFIG, parse_config
from gdexp.tracking import MANIFEST, check_trace, local_folder, quiet_mlflow, read_array

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

MANIFESTS_KEPT = 4_096


class UnreadableRun(GdexpError):
    """A file of a run is missing or cannot be read; the message is one clause."""


class MissingFile(UnreadableRun):
    """A file of a run is not there."""


class AlteredRun(UnreadableRun):
    """A file of a run is not the one that its manifest lists."""


class ArtifactReader:
    """Reads the artifacts of runs from local folders, or through MLflow's client.

    Args:
        client: fetches artifacts that are on a server; None: none is.
        within: the folders of which one must hold a local artifact; empty: any place.
        verify: whether each file is checked against its run's manifest before it is used.
    """

    def __init__(
        self,
        client: MlflowClient | None = None,
        within: Sequence[Path] = (),
        verify: bool = True,
    ) -> None:
        self._client = client
        self._within = within
        self._verify = verify
        self._manifests: OrderedDict[str, Mapping[str, str]] = OrderedDict()
        self._sizes: dict[str, dict[str, int | None]] = {}

    def read(
        self, run_id: str, home: str, name: str, parse: Callable[[BinaryIO], T], check: bool = True
    ) -> T:
        """Read one artifact.

        Args:
            run_id: MLflow's id of the run.
            home: the artifact URI of the run.
            name: the file name.
            parse: turns the open file into a value; the file may be deleted after the call.
            check: whether to check the file against the manifest, if this reader verifies.

        Raises:
            AlteredRun: the file is not the one of the manifest.
            UnreadableRun: the file is missing or cannot be parsed.
        """
        with _one_clause(name), self._open(run_id, home, name) as file:
            if self._verify and check:
                self._check(run_id, home, name, file)
            return parse(file)

    def check_place(self, home: str) -> None:
        """Check that a local artifact URI names a folder inside the store.

        Raises:
            UnreadableRun: it does not.
        """
        folder = local_folder(home)
        within = [each.resolve() for each in self._within]
        if folder is None or not within:
            return
        if not any(folder.resolve().is_relative_to(each) for each in within):
            raise UnreadableRun("its artifacts lie outside of the store")

    @contextmanager
    def _open(self, run_id: str, home: str, name: str) -> Iterator[BinaryIO]:
        folder, most = local_folder(home), size_limit(name)
        if folder is not None:
            with open_regular(folder / name, most, self._within) as file:
                yield file
            return
        if self._client is None:
            raise FileNotFoundError(name)
        with tempfile.TemporaryDirectory(prefix="gdexp-") as here:
            with quiet_mlflow():
                if (self._size(run_id, name) or 0) > most:
                    raise ValueError(f"is larger than {most:,} bytes")
                path = Path(self._client.download_artifacts(run_id, name, here))
            with open_regular(path, most, [Path(here)]) as file:
                yield file

    def _size(self, run_id: str, name: str) -> int | None:
        """Return the size of a file on a server, before it is fetched; None if it is unknown."""
        outer = name.rpartition("/")[0]
        key = f"{run_id}/{outer}"
        if key not in self._sizes and self._client is not None:
            listed = self._client.list_artifacts(run_id, outer or None)
            self._sizes = {key: {each.path: each.file_size for each in listed}}
        return self._sizes[key].get(name)

    def _check(self, run_id: str, home: str, name: str, file: BinaryIO) -> None:
        manifest = self._manifests.get(run_id)
        if manifest is None:
            try:
                read = parse_manifest_file
                manifest = self.read(run_id, home, MANIFEST, read, check=False)
            except UnreadableRun as error:
                raise UnreadableRun(f"{error}, so its {name} cannot be checked") from None
            self._manifests[run_id] = manifest
            while len(self._manifests) > MANIFESTS_KEPT:
                self._manifests.popitem(last=False)
        if not is_unaltered(manifest, name, file):
            raise AlteredRun(f"its {name} was altered: {MANIFEST} lists another sha256")


@contextmanager
def _one_clause(name: str) -> Iterator[None]:
    """Turn the errors of a file into an `UnreadableRun`."""
    try:
        yield
    except FileNotFoundError:
        raise MissingFile(f"holds no {name}") from None
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UnreadableRun(f"its {name} cannot be read ({reason})") from None
    except GdexpError:
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("mlflow", "requests", "botocore"):
            raise
        raise MissingFile(f"holds no {name} that MLflow can fetch") from error


def parse_manifest_file(file: BinaryIO) -> dict[str, str]:
    """Read a manifest: file name to sha256."""
    return parse_manifest(read_bytes(file, MOST_JSON))


def read_bytes(file: BinaryIO, most: int) -> bytes:
    """Read a file of at most `most` bytes.

    Raises:
        ValueError: it is larger.
    """
    content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"is larger than {most:,} bytes")
    return content


def read_trace(file: BinaryIO) -> Trace:
    """Read a loss trace: float64, shape (n + 1,)."""
    return check_trace(read_array(file))


def read_config(file: BinaryIO) -> dict[str, Any]:
    """Read a stored config as plain containers."""
    return parse_config(read_bytes(file, MAX_CONFIG))
