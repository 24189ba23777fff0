"""A row of a sweep's shards: the record of one descent, in whichever file it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gdexp.core import StorageFailed
from gdexp.tracking.arrays import encode_array
from gdexp.tracking.record import MANIFEST, Record, manifest

FOLDER = "shards"
"""The folder of the shards among the artifacts of a sweep."""

ALL_SEEDS = -1
"""The seed number of the row with the combined result of all seeds of a trial."""

_TRACE = "trace.npy"


class DamagedShard(StorageFailed):
    """A file of rows cannot be read."""


@dataclass(frozen=True)
class ShardRow:
    """One descent of a sweep.

    Attributes:
        trial: the number of the trial in the study.
        seed: the index of the seed, from 0; `ALL_SEEDS` for several seeds together.
        record: everything that a run would hold, the tags of its header included.
        started: milliseconds since 1970, when the sampler was asked for the trial.
        manifest: the manifest as it was written with the row; None: it is made from the record, as
            for a new row, and for those of earlier versions.
    """

    trial: int
    seed: int
    record: Record
    started: int = 0
    manifest: bytes | None = None

    @classmethod
    def of_stored(cls, numbers: Sequence[int], stored: Record, *, whole: bool) -> ShardRow:
        """Return a row as it is read from a file.

        Args:
            numbers: the trial, the seed, and when it was started.
            stored: its artifacts are those of `stored_files`.
            whole: whether the trace and the artifacts were read.

        Raises:
            ValueError: a number that no row has.
        """
        trial, seed, started = map(int, numbers)
        if trial < 0 or seed < ALL_SEEDS:
            raise ValueError(f"holds trial {trial}, seed {seed}")
        artifacts = dict(stored.artifacts)
        written = artifacts.pop(MANIFEST, None)
        if whole and _lists_trace(written):
            artifacts[_TRACE] = encode_array(stored.trace)
        return cls(trial, seed, replace(stored, artifacts=artifacts), started, written)

    def sealed(self) -> dict[str, bytes]:
        """Return the artifacts and the manifest."""
        written = manifest(self.record.artifacts) if self.manifest is None else self.manifest
        return {**self.record.artifacts, MANIFEST: written}

    def stored_files(self) -> Mapping[str, bytes]:
        """Return the artifacts and the manifest, but for the file of the trace: it has a column."""
        return {name: each for name, each in self.sealed().items() if name != _TRACE}

    def is_altered(self) -> bool:
        """Return whether the artifacts are not those of the manifest that was written."""
        return self.manifest is not None and self.manifest != manifest(self.record.artifacts)

    def check_manifest(self) -> None:
        """Check that the artifacts are those of the manifest that was written.

        Raises:
            ValueError: they are not.
        """
        if self.is_altered():
            raise ValueError(f"trial {self.trial} was altered: it is not its manifest's")


@contextmanager
def shard_errors(path: Path, further: type[Exception] = OSError) -> Iterator[None]:
    """Turn errors of a file into `DamagedShard`; `FileNotFoundError` stays as it is.

    Args:
        path: the file.
        further: an error of the library that reads it.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, further) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise DamagedShard(
            f"{FOLDER}/{path.name}: cannot be read ({reason[0]}); put a copy in its place"
        ) from error


def _lists_trace(written: bytes | None) -> bool:
    """Return whether a row's trace is an artifact too: not of several seeds, nor of a failure.

    In earlier versions, which wrote no manifest, it always was.
    """
    return written is None or f'"{_TRACE}"'.encode() in written
