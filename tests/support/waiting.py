"""Waiting for conditions, instead of for a time."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 120) -> None:
    """Returns when a condition holds; it polls, because neither server notifies of every change.

    Raises:
        TimeoutError: it does not hold in time.
    """
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
