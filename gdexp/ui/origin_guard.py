"""MLflow's server with a check of origins: it serves its own pages and programs, no other pages.

MLflow itself lets the pages of every local port read and change everything, and does not look at
origins outside its API. This module as a program is `mlflow server` with the check in front.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from gdexp.ui import mlflow_internals
from gdexp.ui.asgi import App, Message, Receive, Send
from gdexp.ui.first_page import FirstPage
from gdexp.ui.server_name import NAME_VARIABLE, NamedServer


class OriginGuard:
    """An ASGI application that refuses requests which pages of other origins have sent.

    Args:
        app: the application that answers all other requests.
        hosts: the hosts, with ports, at which the server's own pages are opened.
    """

    def __init__(self, app: App, hosts: Iterable[str]) -> None:
        self._app = app
        self._origins = {f"http://{host}".encode() for host in hosts}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request. The browser adds the header `Origin`; no page can change it."""
        origins = [value for name, value in scope.get("headers", ()) if name.lower() == b"origin"]
        if self._origins.issuperset(origins):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            kind = (b"content-type", b"text/plain")
            await send({"type": "http.response.start", "status": 403, "headers": [kind]})
            await send({"type": "http.response.body", "body": b"Pages from elsewhere: refused."})


def guarded_app() -> NamedServer:
    """Return MLflow's application behind the check; `mlflow server` has set the environment."""
    hosts = os.environ["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    guard = OriginGuard(FirstPage(mlflow_internals.application()), hosts)
    return NamedServer(guard, os.environ.get(NAME_VARIABLE, ""))


if __name__ == "__main__":
    mlflow_internals.serve("gdexp.ui.origin_guard:guarded_app")
