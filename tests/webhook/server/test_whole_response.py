"""Responses formatted in advance are the bytes that uvicorn would send."""

import re
import socket
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from tests.factories.callbacks import serving
from webhook.responses import STATUS, send_response


async def whole(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer with the outcome in the path, by our server's extension."""
    assert "falhook.response" in scope["extensions"]
    await send_response(scope, send, scope["path"].rpartition("/")[2])


async def parts(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer the same without the extension."""
    await send_response({**scope, "extensions": {}}, send, scope["path"].rpartition("/")[2])


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """A client of both."""
    app = Starlette(routes=[Mount("/whole", app=whole), Mount("/parts", app=parts)])
    with serving(app) as running:
        yield running


def answers(client: httpx.Client, path: str, *ends: str) -> bytes:
    """Return what a connection sends for requests with these ends of their heads, without time."""
    url = client.base_url
    requests = [f"POST {path} HTTP/{end}\r\nContent-Length: 0\r\n\r\n" for end in ends]
    with socket.create_connection((url.host, url.port or 80), timeout=20) as peer:
        peer.sendall("".join(requests).encode())
        received = b"".join(iter(lambda: peer.recv(65536), b""))
    return re.sub(rb"date: [^\r]*", b"date: now", received)


CLOSE = "1.1\r\nHost: x\r\nConnection: close"


@pytest.mark.parametrize("outcome", STATUS)
@pytest.mark.parametrize("ends", [("1.1\r\nHost: x", CLOSE), ("1.0",)])
def test_it_is_what_uvicorn_sends(
    client: httpx.Client, outcome: str, ends: tuple[str, ...]
) -> None:
    """Status, headers, body and whether the connection is closed are the same."""
    expected = answers(client, f"/parts/{outcome}", *ends)
    assert expected == answers(client, f"/whole/{outcome}", *ends)
    assert len(ends) == expected.count(f'"outcome": "{outcome}"'.encode())
