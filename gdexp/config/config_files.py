"""Config files as they are read: the user's come first, and an error in one has a place.

Hydra reads a file of `--config-dir` only where no shipped file has its name. Here it is read in
place of the shipped one, and that is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gdexp.config.composed import shipped
from gdexp.config.hydra_internals import ConfigFile, reading_config_files
from gdexp.core import BadInput, shown_path

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

HIDDEN_PACKAGE = re.compile(
    rb"(?:[ \t]*\n)*#(?![ \t]*@)[^\n]*\n(?:(?:#[^\n]*)?\n)*?(#[ \t]*@package)"
)
"""A package line below another comment: Hydra takes no notice of it."""


@contextmanager
def checked_config_files(warn: Callable[[str], None]) -> Iterator[None]:
    """Prefer the user's config files inside the block, and check every file that is read.

    Args:
        warn: is called once for each file that is used in place of a shipped one.
    """
    said: set[str] = set()

    def read(file: ConfigFile) -> Any:  # noqa: ANN401
        if file.own and file.name not in said and (shipped() / file.name).is_file():
            said.add(file.name)
            warn(f"{shown_path(file.path)} is used in place of gdexp's own {file.name}")
        return _read(file)

    with reading_config_files(read):
        yield


def _read(file: ConfigFile) -> Any:  # noqa: ANN401
    """Read a file through Hydra.

    Raises:
        BadInput: the file is no YAML that Hydra understands; file, line and column are named.
    """
    from omegaconf import OmegaConf
    from yaml import MarkedYAMLError  # type: ignore[import-untyped]
    from yaml.reader import ReaderError  # type: ignore[import-untyped]

    if not file.path.is_file():
        return file.load()
    content = file.path.read_bytes()
    if content.startswith(BYTE_ORDER_MARK):
        raise _error(
            file,
            content,
            0,
            "begins with a byte-order mark, which hides a '# @package' line; save it as UTF-8 "
            "without one",
        )
    if (hidden := HIDDEN_PACKAGE.match(content)) is not None:
        raise _error(
            file,
            content,
            hidden.start(1),
            "Hydra reads this line only above every other comment; move it to the top",
        )
    try:
        loaded = file.load()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = 0 if mark is None else len(content.decode()[: mark.index].encode())
        words = str(error.problem or error.context or "cannot be read")
        if content[at : at + 1] == b"\t":
            words = "a tab stands here; YAML is indented with spaces"
        raise _error(file, content, at, words) from None
    except ReaderError as error:
        at = len(content.decode()[: error.position].encode())
        raise _error(file, content, at, f"the character {error.character!r} stands here") from None
    except UnicodeDecodeError as error:
        raise _error(file, content, error.start, "is not UTF-8; save it as that") from None
    except (ValueError, OSError) as error:  # a header line, or a file of one number
        raise _error(file, content, 0, str(error).splitlines()[0]) from None
    if not OmegaConf.is_dict(loaded.config):
        raise _error(file, content, 0, "must be a mapping of keys to values")
    return loaded


def _error(file: ConfigFile, content: bytes, at: int, words: str) -> BadInput:
    """Return the error about a place in a file.

    Args:
        file: that was read.
        content: of the file.
        at: the place, in bytes.
        words: what is wrong there.
    """
    before = content[:at].decode(errors="replace")
    line, column = before.count("\n") + 1, at and len(before) - (before.rfind("\n") + 1)
    name = file.name.removesuffix(".yaml")
    return BadInput("config", name, f"{shown_path(file.path)}:{line}:{column + 1}: {words}")
