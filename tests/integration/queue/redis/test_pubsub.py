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
