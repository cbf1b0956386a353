"""Lingering close: delivers a response that is sent before the request's body was read completely."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Longest pause and longest total, like nginx's lingering_timeout and lingering_time.
_SILENCE_SECONDS: Final = 2.0
_LONGEST_SECONDS: Final = 15.0


class LingeringClose:
    """Reads and discards the rest of a body for a while after a response that ends the connection.

    Closing a connection with unread bytes resets it, and the reset discards the response at the client: a
    client with a body that is too large would see a connection error instead of the 413.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI request."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        is_read = is_last = False

        async def receive_watched() -> Message:
            nonlocal is_read
            message = await receive()
            is_read = is_read or not message.get("more_body")
            return message

        async def send_lingering(message: Message) -> None:
            nonlocal is_last
            if message["type"] == "http.response.start":
                is_last = Headers(raw=message["headers"]).get("connection", "").lower() == "close"
            elif is_last and not is_read and not message.get("more_body"):
                await send({**message, "more_body": True})
                await _drain(receive_watched, lambda: is_read)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, receive_watched, send_lingering)


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def _drain(receive: Receive, is_read: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            while not is_read():
                async with asyncio.timeout(_SILENCE_SECONDS):
                    await receive()
    except TimeoutError:
        # Closing resets the connection if the client still sends.
        return
