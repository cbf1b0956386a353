"""Cancels background tasks reliably."""

import asyncio
from typing import Any, Final

# Enough for cleanup on a busy machine, which another cancellation would interrupt.
_REPEAT_SECONDS: Final = 1.0


async def cancel_and_wait(work: asyncio.Task[Any]) -> None:
    """Cancels a task and waits until it has ended.

    Cancels repeatedly: a driver may turn a cancellation during a query into a connection error, which a retry
    loop would then swallow.
    """
    while not work.done():
        work.cancel()
        await asyncio.wait([work], timeout=_REPEAT_SECONDS)
