"""Secrets in every place that gdexp reads, for the test that looks for them afterwards.

`plant` is called in the child that runs a command, before it (`ForkServer.start(before=…)`).
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import gdexp

STEM = "kestrel7Q9x"
"""Every planted secret begins with it, and nothing else holds it."""

PACKAGE = Path(gdexp.__file__).parent
HERE = "tests.integration.leaks"

OWN = f"""
import os

from gdexp import Problem

API_KEY = "{STEM}Source"
COUNT = 0


def fine(x):
    return (x * x).sum()


def early(x):
    raise ValueError("no login with " + os.environ["SERVICE_TOKEN"] + ", password={STEM}Text")


def late(x):
    global COUNT
    COUNT += 1
    if COUNT > 6:
        try:
            raise KeyError("refused by http://me:{STEM}Cause@host")
        except KeyError as error:
            raise ValueError(os.environ["SERVICE_TOKEN"] + " has expired") from error
    return (x * x).sum()


class Unmade(Problem):
    shape = (2,)

    def __init__(self, **given):
        raise RuntimeError(f"{{given}} " + os.environ["SERVICE_TOKEN"])

    def loss(self, x):
        return x.sum()
"""


def secret(name: str) -> str:
    """A secret that tells where it was planted."""
    return f"{STEM}{name}"


def plant(environment: Mapping[str, str], library: str, source: str) -> None:
    """Set environment variables, make the user's problems importable, and move gdexp's source.

    Args:
        environment: the variables.
        library: folder of the module `leaky`.
        source: folder of the package whose changes since its commit are recorded.
    """
    from gdexp.experiment import own_source

    os.environ.update(environment)
    sys.path.insert(0, library)
    own_source.__file__ = str(Path(source) / "experiment" / "own_source.py")


def make_library(folder: Path) -> None:
    """The user's problems, in the module `leaky`."""
    folder.mkdir()
    (folder / "leaky.py").write_text(OWN)


def make_source(folder: Path) -> Path:
    """A package in a repository whose remote and whose uncommitted changes hold secrets."""
    package = folder / "gdexp"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "conf").mkdir()
    (package / ".env").write_text(f"API_KEY={secret('EnvBefore')}\nPGPASSWORD=x\n")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "first")
    git(folder, "remote", "add", "origin", f"https://me:{secret('Remote')}@host.invalid/x.git")
    (package / ".env").write_text(f"API_KEY={secret('EnvAfter')}\nPGPASSWORD={secret('Pg')}\n")
    changed = [
        f'SETTINGS = {{"password": "{secret("Dict")}", "user": "me"}}',
        f"engine = create_engine('postgresql://me:{secret('Engine')}@host/db')",
        f'token = (\n    "{secret("Below")}"\n)',
    ]
    (package / "descent" / "cap.py").write_text("\n".join([*changed, ""]))
    return package


def git(folder: Path, *arguments: str) -> None:
    """A git command without the settings of whoever runs the tests."""
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@host.invalid")
    subprocess.run(
        ["git", "-C", str(folder), *who, *arguments],
        check=True,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull},
    )


def forms() -> list[bytes]:
    """How the stem looks in a file: as it is, in percent signs, in base64 wherever it begins."""
    word = STEM.encode()
    found = [word, "".join(f"%{byte:02X}" for byte in word).encode(), word.hex().encode()]
    for before in range(3):
        whole = base64.b64encode(b"x" * before + word)
        # Only the characters that no neighbour has a part in.
        begin, end = -(-8 * before // 6), (8 * (before + len(word))) // 6
        found.append(whole[begin:end])
    return found


def leaks(content: bytes) -> Iterator[str]:
    """What is around each form of the stem that is in a content."""
    for form in forms():
        place = content.find(form)
        if place >= 0:
            yield content[max(place - 80, 0) : place + 40].decode(errors="replace")
