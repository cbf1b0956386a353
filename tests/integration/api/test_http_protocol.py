"""Clients that send endless headers, or send too slowly, are refused or disconnected."""

import asyncio

import pytest
from websockets.asyncio.client import connect

from api.main import create_app
from api.security.http_protocol import BoundedHttpProtocol
from flexiprice.cli.serve.api import API_SERVER
from tests.support.api_server import listening

REQUEST = b"GET /api/v1/health/live HTTP/1.1\r\nHost: localhost\r\n"


class Impatient(BoundedHttpProtocol):
    header_seconds = 0.15


async def echo(scope, receive, send) -> None:
    """An application of one web socket that echoes."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def exchange(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """The bytes received until the server ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(120):
            try:
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(pause)
                return await reader.read()
            except ConnectionResetError:
                return b""
    finally:
        writer.close()


async def test_endless_headers_are_refused_with_431(shared_settings):
    async with listening(create_app(shared_settings), API_SERVER[API_SERVER.index("--http") + 1]) as port:
        assert b" 200 OK" in await exchange(port, REQUEST, b"X: y\r\nConnection: close\r\n\r\n")
        for endless in (b"X-Long: " + b"y" * 70_000, b"X: y\r\n" * 12_000):
            answer = await exchange(port, REQUEST, endless[:40_000], endless[40_000:], pause=0.01)
            assert answer.startswith(b"HTTP/1.1 431 "), endless[:10]
        # A long body in between is none of the headers.
        body = b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000
        assert (await exchange(port, REQUEST + body, REQUEST + b"Connection: close\r\n\r\n")).count(
            b" 200 OK"
        ) == 2


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"\r\n",) * 8,
        (REQUEST, *[b"X: y\r\n"] * 8),
        (REQUEST + b"\r\n", b"GET", *[b" "] * 8),
        (REQUEST + b"Content-Length: 100\r\n\r\n", *[b"x"] * 8),
    ],
    ids=["silence", "empty lines", "headers that drip", "a second request that drips", "a body nobody reads"],
)
async def test_slow_client_is_disconnected(shared_settings, parts):
    async with listening(create_app(shared_settings), Impatient) as port:
        # Which fails if the server does not end the connection.
        await exchange(port, *parts, pause=0.05)


async def test_silent_web_socket_stays_connected(shared_settings):
    async with listening(echo, Impatient) as port, connect(f"ws://127.0.0.1:{port}/") as socket:
        # A later silent client is disconnected; by then the timeout for headers has passed for both.
        await exchange(port)
        await socket.send("still there")
        assert await socket.recv() == "still there"
