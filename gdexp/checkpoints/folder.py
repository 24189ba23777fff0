"""The folder of one descent's checkpoints: each a file that is whole or not there."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gdexp.checkpoints.state_tree import decode_tree, encode_tree
from gdexp.checkpoints.tensor_file import (
    DamagedFile,
    read_tensors,
    read_texts,
    write_tensors,
)
from gdexp.core import GdexpError, StorageFailed, StudyInUse, failure_reason, signals, sync_folder
from gdexp.version import __version__

FORMAT = "gdexp checkpoint 1"

KEPT = 2
"""The newest checkpoints that stay; an earlier one is of use where the newest is damaged."""

_NAME = re.compile(r"([0-9]+)\.safetensors")

PART = "new.part"
"""The name of a checkpoint that is being written. A descent has one writer, so it is always the
same, and what a killed process left is overwritten."""


LOCK = "lock"


class Checkpoint(NamedTuple):
    """What was saved.

    Attributes:
        number: the updates made.
        state: the nested state.
        about: what the descent is; values for JSON.
        warnings: of newer checkpoints that cannot be used.
    """

    number: int
    state: Any
    about: Mapping[str, Any]
    warnings: list[str]


class CheckpointFolder:
    """Where one descent keeps its last checkpoints.

    Args:
        path: of the folder; made when it is needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(
        self, number: int, state: Mapping[str, Any], about: Mapping[str, Any] | None = None
    ) -> Path:
        """Write a checkpoint; it is there as a whole, or not at all.

        Args:
            number: the updates made.
            state: a nested state, see `encode_tree`.
            about: what the descent is; values for JSON, which `about` reads quickly.

        Raises:
            StorageFailed: the disk does not take it; earlier checkpoints are as they were.
            GdexpError: the state holds something that is no data.
        """
        text, tensors = encode_tree(state)
        texts = {
            "format": FORMAT,
            "gdexp": __version__,
            "number": str(number),
            "about": json.dumps(about or {}),
            "state": text,
        }
        part, path = self.path / PART, self.path / f"{number:012d}.safetensors"
        try:
            with signals.shielded():
                self.path.mkdir(parents=True, exist_ok=True)
                write_tensors(part, tensors, texts)
                os.replace(part, path)
                sync_folder(self.path)
                self._remove_old()
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise StorageFailed(f"checkpoint {path}: {failure_reason(error)}") from error
        return path

    def numbers(self) -> dict[int, str]:
        """Return the numbers of the checkpoints that are there, with the names of their files."""
        try:
            names = os.listdir(self.path)
        except OSError:
            return {}
        found = ((_NAME.fullmatch(name), name) for name in names)
        return {int(match[1]): name for match, name in found if match}

    def about(self) -> Mapping[str, Any] | None:
        """Return what the descent of the newest checkpoint is; None where none can be read.

        It is read quickly and not compared with the digest: what decides is in `load`.
        """
        for number in sorted(self.numbers(), reverse=True):
            with suppress(DamagedFile, OSError, KeyError, ValueError):
                found: Mapping[str, Any] = json.loads(read_texts(self._file(number))["about"])
                return found
        return None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process go on with the descent inside the block.

        Raises:
            StudyInUse: another process has it.
            StorageFailed: the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = open(self.path / LOCK, "w")  # noqa: SIM115 - open as long as the block
        except OSError as error:
            raise StorageFailed(f"checkpoint {self.path}: {failure_reason(error)}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StudyInUse(f"checkpoint {self.path}: another process makes it") from None
            except OSError:  # a file system without locks
                pass
            yield

    def load(self, device: torch.device | str = "cpu") -> Checkpoint | None:
        """Return the newest checkpoint that is whole.

        Files of writes that were never finished are removed.

        Args:
            device: where tensors go that were not on the CPU.

        Returns:
            None where there is no checkpoint.

        Raises:
            GdexpError: there are checkpoints, and all are damaged or of another version.
        """
        with suppress(OSError):
            (self.path / PART).unlink(missing_ok=True)
        warnings: list[str] = []
        for number in sorted(self.numbers(), reverse=True):
            path = self._file(number)
            try:
                tensors, texts = read_tensors(path)
                if texts.get("format") != FORMAT:
                    written = texts.get("gdexp", "another version")
                    raise DamagedFile(f"gdexp {written} wrote it, in a form that is not known here")
                state = decode_tree(texts["state"], tensors, device)
                self._remove_old()
                return Checkpoint(number, state, json.loads(texts["about"]), warnings)
            except (DamagedFile, OSError, KeyError, ValueError) as error:
                reason = failure_reason(error) if isinstance(error, OSError) else error
                warnings.append(f"checkpoint {path} is not used: {reason}")
        if warnings:
            raise GdexpError("; ".join(warnings))
        return None

    def clear(self) -> None:
        """Remove the checkpoints; the descent begins again."""
        for name in self.numbers().values():
            with suppress(OSError):  # a name that is no file
                (self.path / name).unlink()

    def remove(self) -> None:
        """Remove the folder; the descent has ended."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # the folder above, where it was the last one
            self.path.parent.rmdir()

    def _remove_old(self) -> None:
        for old in sorted(self.numbers())[:-KEPT]:
            self._file(old).unlink(missing_ok=True)

    def _file(self, number: int) -> Path:
        return self.path / self.numbers()[number]
