"""MLflow's page without the panel of its assistant, and without reports of its use.

In a browser that has never been there MLflow opens the panel, which covers a quarter of the charts,
and remembers that in the browser. It also sends usage data unless the browser remembers that it
must not. The script that is added to the page sets both where nothing is remembered yet. A person
can open the panel and allow the reports as before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from gdexp.ui.asgi import App, Message, Receive, Send

REMEMBERED = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.settings.telemetry.enabled_v1": "false",
}
"""What the browser remembers for MLflow 3.17 and 3.18, by key: only keys that are missing."""

PAGE = "/"
"""The path of MLflow's only page; the rest of an address comes after `#`."""

CHANGED = {b"content-length", b"etag", b"last-modified", b"accept-ranges"}
"""Headers that are about the file of the page, and not about the page with the script."""

CONDITIONS = {b"if-none-match", b"if-modified-since", b"range"}
"""Headers by which a browser asks for less than the whole page."""


class FirstPage:
    """An ASGI application that adds a script to MLflow's page, and passes on everything else.

    Args:
        app: MLflow's application.
        remembered: what the browser remembers, by key; what it knows already stays.
    """

    def __init__(self, app: App, remembered: Mapping[str, str] = REMEMBERED) -> None:
        self._app = app
        self._script = _script(remembered)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != PAGE:
            await self._app(scope, receive, send)
            return
        asked = [pair for pair in scope["headers"] if pair[0].lower() not in CONDITIONS]
        start: Message = {}
        parts: list[bytes] = []

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                page = b"".join(parts).replace(b"<head>", b"<head>" + self._script, 1)
                kept = [pair for pair in start["headers"] if pair[0].lower() not in CHANGED]
                length = (b"content-length", str(len(page)).encode())
                await send({**start, "headers": [*kept, length]})
                await send({"type": "http.response.body", "body": page})

        await self._app({**scope, "headers": asked}, receive, collect)


def _script(remembered: Mapping[str, str]) -> bytes:
    code = (
        f"for(const[k,v]of Object.entries({json.dumps(dict(remembered))}))"
        "try{localStorage.getItem(k)??localStorage.setItem(k,v)}catch{}"
    )
    return f"<script>{code}</script>".encode()
