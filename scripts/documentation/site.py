"""The site: its pages in one folder, built by Zensical, and served on this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

GENERATED = {
    "reference/commands.md": ("command_reference", "commands"),
    "reference/config.md": ("config_reference", "config_keys"),
    "reference/problems.md": ("config_reference", "problems"),
    "reference/rules.md": ("config_reference", "rules"),
    "reference/records.md": ("records_reference", "records"),
    "reference/exit-statuses.md": ("records_reference", "exit_statuses"),
    "reference/json.md": ("json_reference", "json_answers"),
    "reference/api.md": ("api_reference", "api"),
}
"""The pages made from the code and `conf/`, by their place: the module and function of each.

They are imported when they are used, because they import torch."""

ADDRESS = "127.0.0.1"


class BuildFailed(Exception):
    """The site has an error or a warning, such as a link to a page that does not exist."""


def written_pages() -> list[str]:
    """Return the places of the pages that are written by hand."""
    folder = HERE / "pages"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.md"))


def generated(place: str) -> str:
    """Return the text of a page that is made from the code and `conf/`."""
    module, name = GENERATED[place]
    return str(getattr(import_module(f"documentation.{module}"), name)())


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
    for place in GENERATED:
        path = pages / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(generated(place), encoding="utf-8")
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
