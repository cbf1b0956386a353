"""Cancelling background tasks."""

import asyncio
from contextlib import suppress

from flexiprice.queue.redis.cancellation import cancel_and_wait


async def test_task_that_swallows_its_cancellation_is_cancelled_again():
    """Stands in for a running statement whose cancellation asyncpg may report as an error."""
    begun = asyncio.Event()

    async def patient() -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    work = asyncio.create_task(patient())
    await begun.wait()
    async with asyncio.timeout(120):
        await cancel_and_wait(work)

    assert work.cancelled()


async def test_ended_task_is_not_cancelled():
    async def quick() -> int:
        return 7

    work = asyncio.create_task(quick())
    await work
    await cancel_and_wait(work)

    assert work.result() == 7
