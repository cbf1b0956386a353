"""Answers that come before a request was read to its end reach the client all the same."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# As nginx lingers: for so long without a byte, and in all.
_SILENCE_SECONDS: Final = 2.0
_LONGEST_SECONDS: Final = 15.0


class LingeringClose:
    """Reads on for a while, and throws away, what is sent after an answer that ends the connection.

    A connection that is closed with bytes unread is reset, and the reset throws the answer away at the other
    end: whoever sent a body that is too large would see that, instead of the 413.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, as ASGI has it."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        is_read = is_last = False

        async def hear() -> Message:
            nonlocal is_read
            message = await receive()
            is_read = is_read or not message.get("more_body")
            return message

        async def tell(message: Message) -> None:
            nonlocal is_last
            if message["type"] == "http.response.start":
                is_last = Headers(raw=message["headers"]).get("connection", "").lower() == "close"
            elif is_last and not is_read and not message.get("more_body"):
                await send({**message, "more_body": True})
                await _drain(hear, lambda: is_read)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, hear, tell)


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def _drain(hear: Receive, is_read: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            while not is_read():
                async with asyncio.timeout(_SILENCE_SECONDS):
                    await hear()
    except TimeoutError:
        # It has had its time; what it sends from here on is answered with a reset.
        return
