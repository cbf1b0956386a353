"""Counts of the commands that Redis has run."""

from arq.connections import ArqRedis


async def scripts_called(redis: ArqRedis) -> int:
    """The number of scripts that Redis has run for all clients."""
    return int((await redis.info("commandstats")).get("cmdstat_evalsha", {"calls": 0})["calls"])
