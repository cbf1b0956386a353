"""The same task under arq's worker as it comes, to measure ours against: it polls every half second."""

from contextlib import AsyncExitStack

from arq.connections import ArqRedis

from flexiprice.jobs import codec, keys
from flexiprice.jobs.redis import create_redis
from flexiprice.resources import open_resources
from flexiprice.settings import Queue, load_settings
from workers import tasks
from workers.runtime.execution import RESOURCES, WORKER_ID, arq_function

_SETTINGS = load_settings(env_files=())
_closing = AsyncExitStack()


async def start(ctx: dict[object, object]) -> None:
    """Opens what the task works with."""
    ctx[RESOURCES] = await _closing.enter_async_context(open_resources(_SETTINGS, program="plain-arq"))
    ctx[WORKER_ID] = "plain-arq"


async def stop(_: dict[object, object]) -> None:
    """Closes it."""
    await _closing.aclose()


class WorkerSettings:
    """What arq's command reads; everything else at arq's defaults."""

    functions = [arq_function(tasks.recompute_all_discounts, _SETTINGS)]  # noqa: RUF012 -- arq reads it so
    redis_pool: ArqRedis = create_redis(_SETTINGS, client_name="plain-arq")
    queue_name = keys.queue_key(Queue.DISCOUNTS)
    job_serializer = codec.encode
    job_deserializer = codec.decode
    on_startup = start
    on_shutdown = stop
