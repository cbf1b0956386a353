"""Closes the connections of open pages when their session ends."""

import asyncio
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.monitor.auth.sessions import SessionAuthenticator
from api.monitor.auth.user import User
from flexiprice.queue.redis.cancellation import cancel_and_wait

# Time for the page to navigate to the login by itself before its connection is closed.
CLOSE_DELAY_SECONDS: Final = 1.0
_CLOSING_SECONDS: Final = 5.0
# Prefix of web socket messages that a user's action causes; replies to the server do not prolong a session.
_ACTION: Final = '42["event"'


async def serve_until_revoked(
    app: ASGIApp, auth: SessionAuthenticator, user: User, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serves a web socket or a long poll until its user's session ends.

    Args:
        app: the ASGI application that serves it.
        auth: reports the end of the session.
        user: the user of the session.
        scope: the ASGI scope.
        receive: the ASGI receive callable.
        send: the ASGI send callable.
    """
    is_revoked = is_answered = False

    async def send_until_revoked(message: Message) -> None:
        nonlocal is_answered
        if not is_revoked:
            is_answered = True
            await send(message)

    async def receive_and_record_use() -> Message:
        message = await receive()
        if str(message.get("text") or "").startswith(_ACTION):
            auth.record_use(user)
        return message

    async def serve() -> None:
        await app(scope, receive_and_record_use, send_until_revoked)

    serving = asyncio.create_task(serve())
    revocation = asyncio.create_task(_wait_until_closed(auth, user))
    try:
        await asyncio.wait({serving, revocation}, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            # From here on the page sends nothing, however long the application takes to return.
            is_revoked = True
            await _close(scope, receive, send, is_answered=is_answered)
            await asyncio.wait({serving}, timeout=_CLOSING_SECONDS)
    finally:
        await cancel_and_wait(revocation)
        if not serving.done():
            await cancel_and_wait(serving)
    if not serving.cancelled():
        serving.result()


async def _wait_until_closed(auth: SessionAuthenticator, user: User) -> None:
    await auth.wait_until_revoked(user)
    await asyncio.sleep(CLOSE_DELAY_SECONDS)


async def _close(scope: Scope, receive: Receive, send: Send, *, is_answered: bool) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "the session has ended"})
    elif not is_answered:
        await PlainTextResponse("Log in first.", status_code=401)(scope, receive, send)
