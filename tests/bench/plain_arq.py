"""The same recompute under arq's worker as it comes, to measure ours against: it polls every half second."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime

from arq.connections import ArqRedis

from flexiprice.pricing import recompute
from flexiprice.pricing.recompute import RecomputeSummary
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.connection import create_redis
from flexiprice.resources import Database, open_database
from flexiprice.settings import Queue, load_settings

_SETTINGS = load_settings(env_files=())
_closing = AsyncExitStack()


async def start(ctx: dict[str, Database]) -> None:
    """Opens what the task works with."""
    ctx["database"] = await _closing.enter_async_context(open_database(_SETTINGS, program="plain-arq"))


async def stop(_: dict[str, Database]) -> None:
    """Closes it."""
    await _closing.aclose()


async def recompute_all_discounts(ctx: dict[str, Database], *, days_threshold: int) -> RecomputeSummary:
    """Recomputes as our task does."""
    async with ctx["database"].sessions.begin() as session:
        return await recompute.recompute_all_discounts(
            session, now=datetime.now(tz=UTC), days_threshold=days_threshold
        )


class WorkerSettings:
    """The settings of arq's command, with arq's defaults for the rest."""

    functions = [recompute_all_discounts]  # noqa: RUF012 -- arq reads it so
    redis_pool: ArqRedis = create_redis(_SETTINGS, client_name="plain-arq")
    queue_name = keys.queue_key(Queue.DISCOUNTS)
    job_serializer = codec.encode
    job_deserializer = codec.decode
    on_startup = start
    on_shutdown = stop
