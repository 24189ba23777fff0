"""optuna-dashboard for the study of a sweep, made readable; nothing can be changed in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from gdexp.core import BadInput, command_folder, shown_path
from gdexp.tracking import mask_uri
from gdexp.ui.server import HOST, chosen_port

OPTION = "--optuna"
USUAL_PORT = 8080
"""The port of optuna-dashboard itself."""

Start = Callable[..., Any]
App = Callable[[dict[str, Any], Start], Iterable[bytes]]


def study_place(given: str) -> str | Path:
    """Return where a study is: an address, or the path of a journal file.

    Args:
        given: the name of a sweep, a path or postgresql://…; empty: the newest sweep here.

    Raises:
        BadInput: there is no such study.
    """
    if urlsplit(given).scheme.startswith("postgres"):
        return given
    folder = Path(command_folder(), "sweeps")
    if given:
        for path in (Path(command_folder(), given), folder / given / "study.journal"):
            if path.is_file():
                return path
        raise BadInput(OPTION, given, "is no sweep in sweeps/ and no journal file")
    journals = sorted(folder.glob("*/study.journal"), key=lambda path: path.stat().st_mtime)
    if not journals:
        raise BadInput(OPTION, "", "no sweep was run here; run python -m gdexp +sweep first")
    return journals[-1]


def place_text(place: str | Path) -> str:
    """Return a place as it is printed: a short path, or an address without its password."""
    return shown_path(place) if isinstance(place, Path) else mask_uri(place)


@contextmanager
def dashboard(place: str | Path, port: int | None) -> Iterator[tuple[WSGIServer, str]]:
    """Open the server of the dashboard; give it, with the address of its page.

    Args:
        place: of the study.
        port: the port; None takes a free one.

    Raises:
        BadInput: optuna-dashboard is not installed, or the port is in use.
        StorageFailed: the study cannot be read.
    """
    try:
        optuna_dashboard: Any = import_module("optuna_dashboard")
    except ImportError:
        text = "needs a package: pip install optuna-dashboard"
        raise BadInput(OPTION, "", text) from None
    from gdexp.sweeps import readable_study

    study = readable_study(place)
    (first, *others) = study.get_all_studies() or [None]
    number = None if first is None or others else study.get_study_id_from_name(first.study_name)
    usable = chosen_port(port, USUAL_PORT)
    app = _Guarded(optuna_dashboard.wsgi(study), (f"{HOST}:{usable}", f"localhost:{usable}"))
    page = "" if number is None else f"/studies/{number}"
    with make_server(HOST, usable, app, _Server, _Handler) as server:
        yield server, f"http://{HOST}:{usable}/dashboard{page}"


class _Guarded:
    """An application that is asked for its own names only, only to read, and once at a time."""

    def __init__(self, app: App, hosts: Sequence[str]) -> None:
        self._app, self._hosts, self._turn = app, hosts, threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if environ.get("HTTP_HOST") not in self._hosts:
            return _refused(start, "403 Forbidden", "Another name than this machine's: refused.")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _refused(start, "405 Method Not Allowed", "This page is for reading only.")
        with self._turn:
            return list(self._app(environ, start))


def _refused(start: Start, status: str, text: str) -> list[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [text.encode()]


class _Server(ThreadingMixIn, WSGIServer):
    """Answers while a browser keeps another connection open."""

    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing for a request."""
