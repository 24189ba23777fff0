"""MLflow's page with the script that keeps its assistant closed; everything else as it is."""

from __future__ import annotations

import asyncio
from typing import Any

from gdexp.ui.first_page import REMEMBERED, FirstPage

PAGE = b"<!doctype html><html><head><title>a</title></head><body></body></html>"


async def mlflow(scope: Any, receive: Any, send: Any) -> None:
    """Answers with a page in two parts, or 304 if it is asked whether the page has changed."""
    if any(name == b"if-none-match" for name, _ in scope["headers"]):
        await send({"type": "http.response.start", "status": 304, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    headers = [(b"content-type", b"text/html"), (b"etag", b"x"), (b"content-length", b"70")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE[:20], "more_body": True})
    await send({"type": "http.response.body", "body": PAGE[20:]})


def answer(path: str, *headers: tuple[bytes, bytes], method: str = "GET") -> tuple[Any, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    asyncio.run(FirstPage(mlflow)(scope, None, send))  # type: ignore[arg-type]
    return sent[0], b"".join(each["body"] for each in sent[1:])


def test_the_script_comes_first_and_the_length_fits() -> None:
    start, body = answer("/", (b"if-none-match", b"x"))
    headers = dict(start["headers"])
    assert start["status"] == 200  # never 304: a browser could have the page without the script
    assert int(headers[b"content-length"]) == len(body)
    assert b"etag" not in headers
    before, script, after = body.partition(b"</script>")
    assert before.startswith(b"<!doctype html><html><head><script>")
    assert after == PAGE.partition(b"<head>")[2]
    assert all(key.encode() in before for key in REMEMBERED)
    assert script


def test_all_else_is_passed_on() -> None:
    for path, method in (("/static-files/a.js", "GET"), ("/", "POST"), ("/api", "GET")):
        _, body = answer(path, method=method)
        assert body == PAGE
    assert answer("/api", (b"if-none-match", b"x"))[0]["status"] == 304
