"""A response before the end of the body reaches a client that still sends; forms are small and quick."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Form
from pydantic import SecretStr

from api.lingering import LingeringClose
from api.main import create_app
from api.security.http_protocol import BoundedHttpProtocol
from api.security.small_bodies import MOST_BYTES, SmallBodies
from tests.support.api_server import BOOTSTRAP_KEY, listening
from tests.support.catalogue import ADMIN


async def sent(port: int, path: str, size: int, *headers: str) -> bytes:
    """The response to a client that sends all of a body before it reads."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {size}", *headers, "", ""]
    try:
        async with asyncio.timeout(120):
            writer.write("\r\n".join(lines).encode())
            for _ in range(size // 65_536):
                writer.write(b"x" * 65_536)
                await writer.drain()
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("size", [2 * 1_048_576, 32 * 1_048_576])
async def test_client_of_a_too_large_body_reads_the_refusal_without_a_reset(shared_settings, size):
    settings = shared_settings.model_copy(update={"api_key": SecretStr(BOOTSTRAP_KEY)})
    key, kind = f"X-API-Key: {BOOTSTRAP_KEY}", "Content-Type: application/json"
    async with listening(create_app(settings), BoundedHttpProtocol) as port:
        answer = await sent(port, f"{ADMIN}/products", size, key, kind)
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
    assert b"content_too_large" in answer


async def test_client_that_sends_for_ever_is_disconnected(shared_settings, monkeypatch):
    monkeypatch.setattr("api.lingering._SILENCE_SECONDS", 0.1)
    settings = shared_settings.model_copy(
        update={"api_key": SecretStr(BOOTSTRAP_KEY), "max_body_bytes": 1024}
    )
    async with listening(create_app(settings), BoundedHttpProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (
            f"POST {ADMIN}/products HTTP/1.1\r\nHost: x\r\nX-API-Key: {BOOTSTRAP_KEY}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
        )
        writer.write(head.encode() + b"x" * 2000)
        async with asyncio.timeout(120):
            assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
        writer.close()


@pytest.fixture
async def form() -> AsyncIterator[int]:
    """The port of a server with a form like the login's."""
    app = FastAPI()

    @app.post("/login")
    async def log_in(key: Annotated[str, Form()]) -> str:
        return f"read {key}"

    app.add_middleware(SmallBodies, paths=frozenset({"/login"}), time_limit=timedelta(milliseconds=300))
    app.add_middleware(LingeringClose)
    async with listening(app, BoundedHttpProtocol) as port:
        yield port


async def test_small_form_is_read(form):
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://127.0.0.1:{form}/login", data={"key": "k" * 400})
    assert answer.json() == f"read {'k' * 400}"


async def test_a_form_that_is_too_large_is_refused(form):
    assert (await sent(form, "/login", 65_536 * 4)).startswith(b"HTTP/1.1 413 ")
    assert MOST_BYTES < 65_536


async def test_a_form_that_comes_too_slowly_is_refused(form):
    reader, writer = await asyncio.open_connection("127.0.0.1", form)
    writer.write(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nkey=")
    async with asyncio.timeout(120):
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
    writer.close()
