"""One file of named tensors in the safetensors format, which ends with a digest of all before it.

The digest is itself a tensor, of 32 bytes, so that every reader of the format takes the file. It is
written here and not by the package of that name, which tells no errors of the disk apart, holds
the whole file in memory, and writes no digest.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

DTYPES: Mapping[torch.dtype, str] = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.complex64: "C64",
    torch.complex128: "C128",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
}
"""The dtypes that a file can hold, by the format's names."""

DIGEST = "sha256"
"""The name of the last tensor: the sha256 of all bytes before it."""

DIGEST_BYTES, LENGTH_BYTES, ALIGNMENT = 32, 8, 8
LARGEST_HEADER = 1 << 30


class DamagedFile(Exception):
    """A file is not as it was written; its text says where."""


def write_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], texts: Mapping[str, str]
) -> None:
    """Write a file and wait until the disk has it.

    Args:
        path: the file; one that is there is overwritten.
        tensors: by name, `sha256` excepted.
        texts: the file's metadata.

    Raises:
        OSError: the disk does not take it.
    """
    with open(path, "wb") as file:
        total = hashlib.sha256()
        _put(file, total, _header(tensors, texts))
        for each in tensors.values():
            _put(file, total, _bytes(each))
        file.write(total.digest())
        file.flush()
        os.fsync(file.fileno())


def encode_tensors(tensors: Mapping[str, torch.Tensor], texts: Mapping[str, str]) -> bytes:
    """Return the bytes of a safetensors file without the digest, as other programs write it."""
    head = _header(tensors, texts, has_digest=False)
    return b"".join([head, *map(_bytes, tensors.values())])


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return tensors and texts of a file, after its digest was compared.

    Raises:
        DamagedFile: it is no such file, or a bit of it is another one.
        OSError: it cannot be read.
    """
    content = bytearray(path.read_bytes())
    body = memoryview(content)[: len(content) - DIGEST_BYTES]
    if len(content) < LENGTH_BYTES + DIGEST_BYTES:
        raise DamagedFile("it is cut off")
    if hashlib.sha256(body).digest() != bytes(content[len(body) :]):
        raise DamagedFile("its sha256 is another one than when it was written")
    try:
        return _parsed(content)
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DamagedFile(f"it is no file of tensors: {error}") from error


def read_texts(path: Path) -> dict[str, str]:
    """Return the texts of a file, which are not compared with its digest.

    Raises:
        DamagedFile: it is no such file.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if length > LARGEST_HEADER:
            raise DamagedFile("its header is too long")
        try:
            texts: dict[str, str] = json.loads(file.read(length))["__metadata__"]
        except (ValueError, KeyError) as error:
            raise DamagedFile(f"it is no file of tensors: {error}") from error
    return texts


def _header(
    tensors: Mapping[str, torch.Tensor], texts: Mapping[str, str], has_digest: bool = True
) -> bytes:
    """Return the length of the JSON header, and the header: texts, dtypes, shapes and places."""
    entries: dict[str, Any] = {"__metadata__": dict(texts)}
    end = 0
    for name, each in tensors.items():
        start, end = end, end + each.numel() * each.element_size()
        kind, shape = DTYPES[each.dtype], list(each.shape)
        entries[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
    if has_digest:
        offsets = [end, end + DIGEST_BYTES]
        entries[DIGEST] = {"dtype": "U8", "shape": [DIGEST_BYTES], "data_offsets": offsets}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def _put(file: BinaryIO, total: Any, content: bytes | memoryview) -> None:  # noqa: ANN401
    file.write(content)
    total.update(content)


def _bytes(tensor: torch.Tensor) -> memoryview:
    """Return the bytes of a tensor; without a copy where it is on the CPU and contiguous."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    if not flat.numel():
        return memoryview(b"")
    return memoryview(flat.view(torch.uint8).numpy())  # type: ignore[arg-type]


def _parsed(content: bytearray) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    length = int.from_bytes(content[:LENGTH_BYTES], "little")
    if length > min(LARGEST_HEADER, len(content)):
        raise ValueError("its header is longer than the file")
    start = LENGTH_BYTES + length
    entries = json.loads(content[LENGTH_BYTES:start])
    texts = entries.pop("__metadata__")
    del entries[DIGEST]
    kinds = {name: dtype for dtype, name in DTYPES.items()}
    found = {}
    for name, entry in entries.items():
        dtype, shape = kinds[entry["dtype"]], entry["shape"]
        first, end = entry["data_offsets"]
        numbers = math.prod(shape)
        if end - first != numbers * dtype.itemsize or start + end > len(content):
            raise ValueError(f"{name} has another size")
        own = content[start + first : start + end]  # a copy, aligned for its dtype
        found[name] = (
            torch.frombuffer(own, dtype=dtype).reshape(shape)
            if numbers
            else torch.empty(shape, dtype=dtype)
        )
    return found, texts
