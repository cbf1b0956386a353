"""What jobs were enqueued with, for people to see: secrets hidden, and not too much."""

from collections.abc import Mapping, Sequence
from typing import Any

from arq.jobs import DeserializationError, deserialize_job_raw, deserialize_result

from flexiprice.jobs import codec, keys
from flexiprice.jobs.client import TaskQueue
from flexiprice.jobs.masking import masked
from flexiprice.jobs.redis import redis_errors


async def find_arguments(tasks: TaskQueue, job_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
    """The arguments of those of some jobs of which Redis still holds them, in one round trip.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    if not job_ids:
        return {}
    with redis_errors():
        async with tasks.redis.pipeline(transaction=True) as pipe:
            pipe.mget([keys.job_key(job_id) for job_id in job_ids])
            pipe.mget([keys.result_key(job_id) for job_id in job_ids])
            bodies, results = await pipe.execute()
    found: dict[str, dict[str, Any]] = {}
    for job_id, body, result in zip(job_ids, bodies, results, strict=True):
        arguments = _arguments(body, result)
        if arguments is not None:
            found[job_id] = masked(arguments)
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
