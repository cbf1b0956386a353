"""Ending what runs in the background, for certain."""

import asyncio
from typing import Any, Final

# Long enough for a task on a busy machine to tidy up, which a further cancellation would cut short.
_AGAIN_SECONDS: Final = 1.0


async def cancelled(work: asyncio.Task[Any]) -> None:
    """Cancels a task, and returns when it has ended.

    It is told again until it has: a cancellation that meets a statement on its way can come back as a lost
    connection, which whoever is patient takes for a reason to go on.
    """
    while not work.done():
        work.cancel()
        await asyncio.wait([work], timeout=_AGAIN_SECONDS)
