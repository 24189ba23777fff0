"""Checkpoints: what is read is what was written, or is refused; kills and full disks are safe."""

from __future__ import annotations

import errno
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gdexp.checkpoints import (
    CheckpointFolder,
    decode_tree,
    encode_tree,
    generator_states,
    restore_generators,
    tensor_file,
)
from gdexp.core.errors import GdexpError, StorageFailed
from tests.support.long_form import share


def equal(one: Any, other: Any) -> bool:
    """Whether two states have the same types, dtypes and bits."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        flat = [each.contiguous().reshape(-1).view(torch.uint8) for each in (one, other)]
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(*flat)
    if isinstance(one, np.ndarray | np.generic):
        same_form = one.dtype == other.dtype and one.shape == other.shape
        return bool(same_form and one.tobytes() == other.tobytes())
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other or (one != one and other != other)


def everything() -> dict[Any, Any]:
    shared = torch.randn(3, 4)
    return {
        "tensors": [
            torch.randn(5).to(dtype)
            for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16)
        ],
        "integers": [torch.arange(3, dtype=d) for d in (torch.int64, torch.int8, torch.uint8)],
        "bools": torch.tensor([True, False]),
        "complex": torch.tensor([1 + 2j]),
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(2.5),
        "transposed": shared.T,
        "nan": torch.tensor([math.nan, math.inf, -0.0]),
        "numbers": [0, -1, 2**70, 0.1, -0.0, math.inf, math.nan, True, None, "ä\n"],
        "arrays": (np.arange(4, dtype=np.uint32), np.float32(0.1), np.zeros((0, 2))),
        "bytes": b"\x00\xff",
        7: {"nested": Counter({3: 1})},
        "shared": (shared, shared),
    }


@pytest.mark.slow
def test_a_state_comes_back_with_its_types_dtypes_and_bits(tmp_path: Path) -> None:
    state, folder = everything(), CheckpointFolder(tmp_path / "own")
    folder.save(3, state)
    found = folder.load()
    assert found is not None
    number, loaded, _, warnings = found
    assert (number, warnings) == (3, [])
    assert equal(loaded, state)
    assert loaded["shared"][0] is loaded["shared"][1]
    loaded["shared"][0].add_(1)  # what is loaded may be changed


@pytest.mark.slow
def test_the_file_is_one_of_safetensors(tmp_path: Path) -> None:
    library = import_module("safetensors.torch")
    path = CheckpointFolder(tmp_path).save(1, {"weight": torch.randn(3, 4), "text": "a"})
    found = library.load_file(path)
    assert set(found) == {"0:state.weight", "sha256"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [object()]}, r"state\.a\[0\] holds a object; a checkpoint holds tensors"),
        ({"f": len}, r"state\.f holds a builtin_function"),
        ({"t": torch.eye(2).to_sparse()}, r"state\.t is a tensor of float32, torch.sparse_coo"),
        ({"a": np.array(["x"])}, r"state\.a is an array of <U1"),
    ],
)
def test_what_is_no_data_is_refused_by_its_place(value: Any, message: str) -> None:
    with pytest.raises(GdexpError, match=message):
        encode_tree(value)


def test_random_generators_go_on_where_they_were(tmp_path: Path) -> None:
    def draw() -> list[float]:
        own_draw = torch.rand(1, generator=own).item()
        return [own_draw, torch.rand(1).item(), float(np.random.normal()), random.gauss(0, 1)]

    own = torch.Generator().manual_seed(3)
    draw()
    text, tensors = encode_tree(generator_states(own))
    expected = [draw(), draw()]
    restore_generators(decode_tree(text, tensors), own)
    assert [draw(), draw()] == expected


@pytest.mark.parametrize("where", [0, 9, 60, 400, -40, -1])
def test_a_changed_bit_is_found_and_the_one_before_is_used(where: int, tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save(900, {"x": torch.ones(300)})
    path = folder.save(1000, {"x": torch.zeros(300)})
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)
    found = folder.load()
    assert found is not None
    assert found[0] == 900
    assert equal(found[1]["x"], torch.ones(300))
    assert str(path) in found.warnings[0]
    assert "not used" in found.warnings[0]


@pytest.mark.parametrize("length", [0, 7, 39, 100, -1])
def test_a_file_that_is_cut_off_is_never_used(length: int, tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    path = folder.save(1000, {"x": torch.zeros(300)})
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(GdexpError, match=r"000000001000.safetensors is not used: it"):
        folder.load()


def test_another_form_names_the_version_that_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CheckpointFolder(tmp_path)
    with monkeypatch.context() as changed:
        changed.setattr("gdexp.checkpoints.folder.FORMAT", "gdexp checkpoint 9")
        folder.save(1, {})
    with pytest.raises(GdexpError, match=r"gdexp 0\.\d+\.\d+ wrote it, in a form that is not"):
        folder.load()


def test_the_last_two_stay_by_number(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "a" / "b")
    assert folder.load() is None
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "99.safetensors").write_bytes(b"")  # as text it is the last
    for number in (900, 1000, 1_000_000_000_000_0):
        folder.save(number, {})
    assert sorted(folder.numbers()) == [1000, 10_000_000_000_000]
    (tmp_path / "a" / "b" / "new.part").write_bytes(b"half")
    found = folder.load()
    assert found is not None
    assert found[0] == 10_000_000_000_000
    assert len(os.listdir(folder.path)) == 2
    folder.remove()
    assert not (tmp_path / "a").exists()


def test_a_full_disk_leaves_the_earlier_checkpoint_and_names_path_and_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save(900, {"x": torch.ones(3)})
    with monkeypatch.context() as full:

        def put(file: Any, total: Any, content: Any) -> None:
            file.write(bytes(content)[:5])
            raise OSError(errno.ENOSPC, "No space left on device")

        full.setattr(tensor_file, "_put", put)
        message = r"checkpoint .*/000000001000.safetensors: the disk is full; make room"
        with pytest.raises(StorageFailed, match=message):
            folder.save(1000, {"x": torch.zeros(3)})
    assert os.listdir(tmp_path) == ["000000000900.safetensors"]
    found = folder.load()
    assert found is not None
    assert found[0] == 900
    folder.save(1000, {"x": torch.zeros(3)})
    again = folder.load()
    assert again is not None
    assert again[0] == 1000


WRITER = """
import sys, torch
from pathlib import Path
from gdexp.checkpoints import CheckpointFolder
folder = CheckpointFolder(Path(sys.argv[1]))
found = folder.load()
number = 0 if found is None else found[0]
if found is not None:
    assert bool((found[1]["x"] == number).all()), "a mixture"
    assert not found.warnings, found.warnings
print("begin", flush=True)
while True:
    number += 1
    folder.save(number, {"x": torch.full((20_000,), number), "y": {"z": [number] * 50}})
"""


@pytest.mark.slow
def test_a_kill_inside_a_write_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    kills = int(os.environ.get("GDEXP_KILLS", share(4, 2)))
    draw, last = random.Random(0), 0
    for _ in range(kills):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begin\n"
            time.sleep(draw.uniform(0.01, 0.2))
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        found = CheckpointFolder(tmp_path).load()
        if found is not None:
            assert found.warnings == []
            assert found[0] >= last
            assert bool((found[1]["x"] == found[0]).all())
            last = found[0]
        assert len(os.listdir(tmp_path)) <= 2
    assert last > 0
