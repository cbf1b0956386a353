"""Child jobs of a job. The parent waits for them without occupying a worker."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast

from flexiprice.queue.arq import ArqRedis, to_unix_ms
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.redis.scripts import REGISTER_CHILDREN
from flexiprice.queue.status import JobInfo, JobSnapshot, read_status

_OPEN: Final = b""


def child_ids(job_id: str, enqueued_at: datetime, count: int) -> Sequence[str]:
    """Returns the ids of a job's children: stable across attempts, new for a later job of the same id."""
    identity = f"{to_unix_ms(enqueued_at)}\n{job_id}".encode()
    stem = hashlib.blake2b(identity, digest_size=10).hexdigest()
    return [f"{stem}-{number}-of-{count}" for number in range(1, count + 1)]


async def register_children(
    redis: ArqRedis, *, job_id: str, worker_id: str, ids: Sequence[str]
) -> Mapping[str, JobInfo | None] | None:
    """Registers the children of a job, unless an earlier attempt has. Enqueues nothing.

    Returns:
        The status of each child, None for an unfinished one; or None if another worker has claimed the job.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    register = redis.register_script(REGISTER_CHILDREN)
    with redis_errors():
        reply = cast(
            "list[bytes]",
            await register(
                keys=[keys.in_progress_key(job_id), keys.record_key(job_id), keys.children_key(job_id)],
                args=[worker_id, *ids],
            ),
        )
    found = {
        child_id.decode(errors="replace"): outcome
        for child_id, outcome in zip(reply[::2], reply[1::2], strict=True)
    }
    return {child_id: _status(child_id, outcome) for child_id, outcome in found.items()} if found else None


def _status(child_id: str, outcome: bytes) -> JobInfo | None:
    if outcome == _OPEN:
        return None
    snapshot = JobSnapshot(
        result=outcome, waiting=False, owner=None, tries=0, record={}, due_at_ms={}, now_ms=0
    )
    return read_status(child_id, snapshot)
