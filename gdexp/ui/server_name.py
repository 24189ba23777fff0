"""The name of a server: whoever started it knows by it which server answers at a port."""

from __future__ import annotations

from gdexp.ui.asgi import App, Message, Receive, Send

NAME_VARIABLE = "GDEXP_SERVER_NAME"
"""The environment variable that gives a server its name."""

NAME_HEADER = "x-gdexp-server"
"""The header of each answer that holds the name."""


class NamedServer:
    """An ASGI application that says its name in each answer.

    Args:
        app: the application that answers.
        name: the server's.
    """

    def __init__(self, app: App, name: str) -> None:
        self._app = app
        self._header = NAME_HEADER.encode(), name.encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), self._header]}
            await send(message)

        await self._app(scope, receive, send_named)
