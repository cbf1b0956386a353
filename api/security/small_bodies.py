"""Middleware that buffers the bodies of forms, and rejects large or slow ones."""

import asyncio
from datetime import timedelta
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.urls import route_path

MOST_BYTES: Final = 16_384
_CLOSE: Final = {"Connection": "close"}


class SmallBodies:
    """Rejects bodies under some paths that exceed `MOST_BYTES` or the time limit."""

    def __init__(self, app: ASGIApp, *, paths: frozenset[str], time_limit: timedelta) -> None:
        self._app = app
        self._paths = paths
        self._time_limit = time_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI request."""
        if scope["type"] != "http" or route_path(scope) not in self._paths:
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._time_limit.total_seconds()):
                body = await _read(receive)
        except TimeoutError:
            refusal = PlainTextResponse("The form came too slowly.", status_code=408, headers=_CLOSE)
            await refusal(scope, receive, send)
            return
        if body is None:
            return
        if len(body) > MOST_BYTES:
            refusal = PlainTextResponse("The form is too large.", status_code=413, headers=_CLOSE)
            await refusal(scope, receive, send)
            return
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)


async def _read(receive: Receive) -> bytes | None:
    body = b""
    while len(body) <= MOST_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body
