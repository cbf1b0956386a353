"""Reads the arguments of jobs for display: redacted and truncated."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flexiprice.queue.arq import DeserializationError, deserialize_job_raw, deserialize_result
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redaction import redact
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.connection import redis_errors

MAX_READ_BYTES: Final = 16 * 1024
"""Maximum size of a job's definition or result; of larger ones only the size is shown."""


async def find_arguments(tasks: TaskQueue, job_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
    """Reads the arguments of jobs, as far as Redis still has them, in two round trips.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    if not job_ids:
        return {}
    job_keys = [key for job_id in job_ids for key in (keys.job_key(job_id), keys.result_key(job_id))]
    with redis_errors():
        async with tasks.redis.pipeline(transaction=False) as pipe:
            for key in job_keys:
                pipe.strlen(key)
            sizes: list[int] = await pipe.execute()
        small = [key for key, size in zip(job_keys, sizes, strict=True) if 0 < size <= MAX_READ_BYTES]
        values: list[bytes | None] = await tasks.redis.mget(small) if small else []
    contents = dict(zip(small, values, strict=True))
    found: dict[str, dict[str, Any]] = {}
    for number, job_id in enumerate(job_ids):
        size = max(sizes[2 * number : 2 * number + 2])
        arguments = _arguments(contents.get(keys.job_key(job_id)), contents.get(keys.result_key(job_id)))
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
            stored = deserialize_result(result, deserializer=codec.decode)
            # "<unknown>" marks a message that arq could not decode.
            return None if stored.function.startswith("<") else stored.kwargs
    except DeserializationError:
        pass
    return None
