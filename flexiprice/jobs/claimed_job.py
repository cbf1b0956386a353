"""A job that a worker has taken."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import cast

from arq.connections import ArqRedis

from flexiprice.jobs import keys
from flexiprice.jobs.traces import text
from flexiprice.settings import Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedJob:
    """A job that a worker has taken.

    Attributes:
        job_id: which one it is.
        queue: where it waited.
        worker_id: who has taken it.
        body: function and arguments as arq encodes them; None where the job has expired.
        tries: how often it was started, this time included.
        due_ms: when it was due.
        started_ms: when it was taken, by the clock of Redis.
        record: our record of it.
    """

    job_id: str
    queue: Queue
    worker_id: str
    body: bytes | None
    tries: int
    due_ms: int
    started_ms: int
    record: Mapping[str, str]

    @property
    def losses(self) -> int:
        """How many workers were lost while they ran it."""
        return int(self.record.get("losses", 0))


async def jobs_running_on(redis: ArqRedis, worker_id: str) -> list[ClaimedJob]:
    """The jobs that stand in a worker's list.

    Raises:
        redis.RedisError: as redis-py has it.
    """
    running = await cast("Awaitable[dict[bytes, bytes]]", redis.hgetall(keys.running_key(worker_id)))
    jobs: list[ClaimedJob] = []
    for encoded_id, where in running.items():
        job_id = encoded_id.decode()
        queue_name, _, started = where.decode().partition(":")
        queue = Queue(queue_name)
        async with redis.pipeline(transaction=True) as pipe:
            pipe.get(keys.job_key(job_id))
            pipe.get(keys.retry_key(job_id))
            pipe.zscore(keys.queue_key(queue), job_id)
            pipe.hgetall(keys.record_key(job_id))
            body, tries, due, record = await pipe.execute()
        jobs.append(
            ClaimedJob(
                job_id=job_id,
                queue=queue,
                worker_id=worker_id,
                body=body,
                tries=int(tries or 1),
                due_ms=int(due or started),
                started_ms=int(started),
                record={text(name): text(value) for name, value in record.items()},
            )
        )
    return jobs
