"""MLflow's server behind a door: it answers its own pages and programs, no page from elsewhere.

MLflow itself lets the pages of every local port read and change everything, and looks at no page's
origin outside its API. As a program this is `mlflow server` with the door in front.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from importlib import import_module
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

PLACE = "gdexp.ui.origin_guard:guarded_app"
"""Where uvicorn finds the application."""


class OriginGuard:
    """An ASGI application that lets through what no page, or a page of its own, has sent.

    Args:
        app: behind the door.
        hosts: under which the server's own pages are opened, each with its port.
    """

    def __init__(self, app: App, hosts: Iterable[str]) -> None:
        self._app = app
        self._origins = {f"http://{host}".encode() for host in hosts}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request; a browser adds the header `Origin`, and no page can change it."""
        given = [value for name, value in scope.get("headers", ()) if name.lower() == b"origin"]
        if self._origins.issuperset(given):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            kind = (b"content-type", b"text/plain")
            await send({"type": "http.response.start", "status": 403, "headers": [kind]})
            await send({"type": "http.response.body", "body": b"Pages from elsewhere: refused."})


def guarded_app() -> OriginGuard:
    """MLflow's application behind the door, as its own command line has set it up."""
    from mlflow.server.fastapi_app import app

    return OriginGuard(app, os.environ["MLFLOW_SERVER_ALLOWED_HOSTS"].split(","))


def main() -> None:
    """MLflow's command line, whose `server` starts the application behind the door."""
    from mlflow.cli import cli

    server: Any = import_module("mlflow.server")
    build = server._build_uvicorn_command

    def behind(
        options: str | None, host: str, port: int, workers: int, app: str, *_: object
    ) -> list[str]:
        return list(build(options, host, port, workers, PLACE, None, True))

    server._build_uvicorn_command = behind
    cli.main(prog_name="mlflow")


if __name__ == "__main__":
    main()
