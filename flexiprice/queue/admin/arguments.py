"""What jobs were enqueued with, for people to see: secrets hidden, and not too much."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flexiprice.queue.arq import DeserializationError, deserialize_job_raw, deserialize_result
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redaction import redact
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.connection import redis_errors

MAX_READ_BYTES: Final = 16 * 1024
"""Of a job's definition or result: of larger ones it is only told that they are."""


async def find_arguments(tasks: TaskQueue, job_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
    """The arguments of those of some jobs of which Redis still holds them, in two round trips.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    if not job_ids:
        return {}
    places = [place for job_id in job_ids for place in (keys.job_key(job_id), keys.result_key(job_id))]
    with redis_errors():
        async with tasks.redis.pipeline(transaction=False) as pipe:
            for place in places:
                pipe.strlen(place)
            sizes: list[int] = await pipe.execute()
        small = [place for place, size in zip(places, sizes, strict=True) if 0 < size <= MAX_READ_BYTES]
        values: list[bytes | None] = await tasks.redis.mget(small) if small else []
    held = dict(zip(small, values, strict=True))
    found: dict[str, dict[str, Any]] = {}
    for number, job_id in enumerate(job_ids):
        size = max(sizes[2 * number : 2 * number + 2])
        arguments = _arguments(held.get(keys.job_key(job_id)), held.get(keys.result_key(job_id)))
        if arguments is not None:
            found[job_id] = redact(arguments)
        elif size > MAX_READ_BYTES:
            found[job_id] = {"…": f"{size:,} bytes"}
    return found


def _arguments(body: bytes | None, result: bytes | None) -> dict[str, Any] | None:
    try:
        if body is not None:
            _, _, arguments, _, _ = deserialize_job_raw(body, deserializer=codec.decode)
            return arguments
        if result is not None:
            ended = deserialize_result(result, deserializer=codec.decode)
            # Without a name arq could not read what it was to run.
            return None if ended.function.startswith("<") else ended.kwargs
    except DeserializationError:
        pass
    return None
