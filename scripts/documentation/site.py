"""The site: its pages in one folder, built by Zensical, and served on this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from documentation.api_reference import api
from documentation.command_reference import commands
from documentation.config_reference import config_keys, problems, rules
from documentation.records_reference import exit_statuses, records

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

GENERATED: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands,
    "reference/config.md": config_keys,
    "reference/problems.md": problems,
    "reference/rules.md": rules,
    "reference/records.md": records,
    "reference/exit-statuses.md": exit_statuses,
    "reference/api.md": api,
}
"""The pages that are made from the code and `conf/`, by their place in the site."""

ADDRESS = "127.0.0.1"


class BuildFailed(Exception):
    """The site has an error or a warning, such as a link to a page that does not exist."""


def written_pages() -> list[str]:
    """Return the places of the pages that are written by hand."""
    folder = HERE / "pages"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.md"))


def assemble(folder: Path) -> Path:
    """Write all pages and pictures below a folder, with the settings of the site.

    Returns:
        The folder of the pages.
    """
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "pages"
    shutil.copytree(HERE / "pages", pages)
    shutil.copytree(ROOT / ".images", pages / "images")
    shutil.copy(HERE / "zensical.toml", folder)
    for place, make in GENERATED.items():
        path = pages / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")
    return pages


def build(folder: Path) -> Path:
    """Build the site below a folder; warnings are errors.

    Returns:
        The folder of the finished site.

    Raises:
        BuildFailed: Zensical found something wrong; the message is what it printed.
    """
    assemble(folder)
    command = (sys.executable, "-m", "zensical", "build", "--strict", "--clean")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"{done.stdout}{done.stderr}".strip())
    return folder / "site"


def server(site: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of a finished site, for this machine alone; port 0 takes a free one."""
    return ThreadingHTTPServer((ADDRESS, port), partial(_Files, directory=str(site)))


class _Files(SimpleHTTPRequestHandler):
    """Serves files and does not print each request."""

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Print nothing."""
