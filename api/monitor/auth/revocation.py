"""What goes on for as long as a page is open, and not a moment longer than its viewer is let in."""

import asyncio
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.monitor.auth.sessions import Access
from api.monitor.auth.user import Viewer
from flexiprice.queue.redis.cancellation import cancelled

# For the page to lead to the login by itself; then it is cut off, and with what precedes, within 5 s.
FAREWELL_SECONDS: Final = 1.0
_CLOSING_SECONDS: Final = 5.0
# How a web socket tells of what a person does; answers to the server's own questions are no use of a session.
_ACTION: Final = '42["event"'


async def while_let_in(
    app: ASGIApp, access: Access, viewer: Viewer, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serves a web socket, or a request that is held, until its viewer's session ends.

    Args:
        app: serves it.
        access: knows when the session ends.
        viewer: whose it is.
        scope: as ASGI has it, like the two that follow.
        receive: brings what the browser sends.
        send: takes what it is sent.
    """
    is_over = is_answered = False

    async def heed(message: Message) -> None:
        nonlocal is_answered
        if not is_over:
            is_answered = True
            await send(message)

    async def hear() -> Message:
        message = await receive()
        if str(message.get("text") or "").startswith(_ACTION):
            access.note_use(viewer)
        return message

    async def serve() -> None:
        await app(scope, hear, heed)

    serving = asyncio.create_task(serve())
    ending = asyncio.create_task(_end(access, viewer))
    try:
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            # From here on nothing of the page gets out, however long it takes to end.
            is_over = True
            await _tell_the_end(scope, receive, send, is_answered=is_answered)
            await asyncio.wait({serving}, timeout=_CLOSING_SECONDS)
    finally:
        await cancelled(ending)
        if not serving.done():
            await cancelled(serving)
    if not serving.cancelled():
        serving.result()


async def _end(access: Access, viewer: Viewer) -> None:
    await access.ended(viewer)
    await asyncio.sleep(FAREWELL_SECONDS)


async def _tell_the_end(scope: Scope, receive: Receive, send: Send, *, is_answered: bool) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "the session has ended"})
    elif not is_answered:
        await PlainTextResponse("Log in first.", status_code=401)(scope, receive, send)
