"""Subscriptions over one connection that all listeners share."""

import asyncio

from arq.connections import ArqRedis

from flexiprice.queue.redis.connection import create_redis_of
from flexiprice.queue.redis.pubsub import PubSubListener
from flexiprice.settings import Settings
from tests.support.waiting import until


async def test_subscription_after_a_long_silence_receives_notifications(
    settings: Settings, redis: ArqRedis
) -> None:
    trusted_for = 0.05
    client = create_redis_of(
        ArqRedis, settings, client_name="flexiprice-tests", health_check_interval=trusted_for
    )
    announcements = PubSubListener(client)

    async def no_longer_trusted() -> bool:
        pubsub = announcements._pubsub
        assert pubsub is not None
        return asyncio.get_running_loop().time() > pubsub.connection.next_health_check + trusted_for

    try:
        for _ in range(3):
            async with announcements.subscribe("news") as signal, asyncio.timeout(120):
                await signal.wait()
                signal.clear()
                await redis.publish("news", "something")
                await signal.wait()
            await until(no_longer_trusted)
    finally:
        await announcements.aclose()
        await client.aclose(close_connection_pool=True)


async def test_a_connection_that_is_closed_while_a_listener_leaves_is_no_error(
    settings: Settings, redis: ArqRedis
) -> None:
    client = create_redis_of(ArqRedis, settings, client_name="flexiprice-tests")
    announcements = PubSubListener(client)
    left = announcements.subscribe("old-news")
    try:
        async with announcements.subscribe("news") as signal, asyncio.timeout(120):
            signal_of_left = await left.__aenter__()
            await signal_of_left.wait()
            assert announcements._pubsub is not None
            # As the reader does on an error, between redis-py's look at the connection and its write.
            leaving = asyncio.create_task(left.__aexit__(None, None, None))
            closing = asyncio.create_task(announcements._pubsub.connection.disconnect(nowait=True))
            await asyncio.gather(leaving, closing)
            signal.clear()
            await signal.wait()
            signal.clear()
            await redis.publish("news", "something")
            await signal.wait()
    finally:
        await announcements.aclose()
        await client.aclose(close_connection_pool=True)
