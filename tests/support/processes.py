"""Processes as their kernel lists them: whose they are, where they listen, if they are there."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator
from pathlib import Path


def descendants(pid: int) -> dict[int, str]:
    """Every process that one started, itself or through others, with its command line."""
    children: dict[int, list[int]] = {}
    for each in _pids():
        if (fields := _stat(each)) is not None:
            children.setdefault(int(fields[1]), []).append(each)
    found, left = {}, [pid]
    while left:
        for child in children.get(left.pop(), ()):
            found[child] = _read(child, "cmdline").replace(b"\0", b" ").decode(errors="replace")
            left.append(child)
    return found


def there(pids: Collection[int]) -> set[int]:
    """Those that still run; a zombie does not."""
    return {pid for pid in pids if (fields := _stat(pid)) is not None and fields[0] not in "ZX"}


def addresses(pids: Collection[int]) -> set[str]:
    """Where any of them listens, over TCP."""
    inodes = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                inodes.add(os.readlink(handle))
            except OSError:  # closed meanwhile
                continue
    return {host for host, inode in _listening() if f"socket:[{inode}]" in inodes}


def _listening() -> Iterator[tuple[str, str]]:
    """Address and inode of every socket that waits for connections."""
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        table = Path(f"/proc/net/{name}")
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == "0A":
                packed = bytes.fromhex(fields[1].partition(":")[0])
                words = [packed[i : i + 4][::-1] for i in range(0, len(packed), 4)]
                yield socket.inet_ntop(family, b"".join(words)), fields[9]


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str] | None:
    """State, parent and so on; None where there is no such process."""
    text = _read(pid, "stat").decode(errors="replace")
    return text.rpartition(")")[2].split() or None


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
