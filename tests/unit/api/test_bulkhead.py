"""The bulkhead: no endpoint takes all connections, and every wait ends."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from api.bulkhead import Bulkhead
from flexiprice.errors import DatabaseBusy


async def hold(stack: AsyncExitStack, bulkhead: Bulkhead, endpoint: str, times: int) -> None:
    for _ in range(times):
        await stack.enter_async_context(bulkhead.turn(endpoint))


async def refused(bulkhead: Bulkhead, endpoint: str) -> bool:
    try:
        async with bulkhead.turn(endpoint):
            return False
    except DatabaseBusy:
        return True


async def test_bulkhead_gives_an_endpoint_half_and_always_leaves_two_connections() -> None:
    bulkhead = Bulkhead(10, wait_seconds=0.01)
    async with AsyncExitStack() as stack:
        await hold(stack, bulkhead, "prices", 5)
        assert await refused(bulkhead, "prices")
        await hold(stack, bulkhead, "stores", 3)
        assert await refused(bulkhead, "policies")
    assert not await refused(bulkhead, "prices")
    assert not await refused(bulkhead, "policies")


@pytest.mark.parametrize("connections", [1, 2, 3])
async def test_the_smallest_pools_serve_one_at_a_time(connections: int) -> None:
    bulkhead = Bulkhead(connections, wait_seconds=0.01)
    async with bulkhead.turn("prices"):
        assert await refused(bulkhead, "prices")
    assert not await refused(bulkhead, "prices")


async def test_waiting_request_gets_the_connection_of_one_that_ends() -> None:
    bulkhead = Bulkhead(2, wait_seconds=30)
    async with bulkhead.turn("prices"):
        waiting = asyncio.create_task(refused(bulkhead, "prices"))
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting is False


async def test_cancelled_request_takes_no_connection_from_the_bulkhead() -> None:
    bulkhead = Bulkhead(2, wait_seconds=30)
    async with bulkhead.turn("prices"):
        waiting = asyncio.create_task(refused(bulkhead, "stores"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert not await refused(bulkhead, "prices")
    assert not await refused(bulkhead, "stores")
