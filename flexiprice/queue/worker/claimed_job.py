"""Claimed jobs, and the jobs that run on a worker."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, cast

from flexiprice.queue.arq import ArqRedis, to_unix_ms
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.keys import whole_number
from flexiprice.queue.redis.scripts import QUARANTINE_FIELD
from flexiprice.queue.snapshot import decode_text
from flexiprice.queue.worker.job_message import JobMessage, decode_message
from flexiprice.settings import Queue

_LOSS: Final = "loss:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedJob:
    """A job that a worker has claimed.

    Attributes:
        job_id: the job's id.
        queue: the queue of the job.
        worker_id: the worker that has claimed it.
        body: function and arguments as arq encodes them; None if the job has expired.
        message: the decoded body.
        tries: number of starts, including this one.
        due_ms: when it was due.
        started_ms: when it was claimed, by the clock of Redis.
        record: the job's record.
        taken_at: when the claim was read, by `time.monotonic`.
    """

    job_id: str
    queue: Queue
    worker_id: str
    body: bytes | None
    message: JobMessage
    tries: int
    due_ms: int
    started_ms: int
    record: Mapping[str, str]
    taken_at: float = field(default_factory=monotonic)

    def now_ms(self) -> int:
        """Returns the time of the claim plus the time that this process has measured since."""
        return self.started_ms + round((monotonic() - self.taken_at) * 1000)

    @property
    def losses(self) -> int:
        """Number of workers that were lost while they ran it."""
        return whole_number(self.record.get("losses"))

    @property
    def lone_losses(self) -> int:
        """Number of workers that died while they ran only this job."""
        return whole_number(self.record.get("lone_losses"))

    @property
    def lost_on(self) -> frozenset[str]:
        """Ids of the lost workers whose jobs are not exonerated."""
        return frozenset(name.removeprefix(_LOSS) for name in self.record if name.startswith(_LOSS))


async def jobs_running_on(redis: ArqRedis, worker_id: str) -> list[ClaimedJob]:
    """Reads the jobs that a worker has claimed.

    Raises:
        redis.RedisError: the call to Redis failed.
    """
    running = await cast("Awaitable[dict[bytes, bytes]]", redis.hgetall(keys.running_key(worker_id)))
    jobs: list[ClaimedJob] = []
    for encoded_id, entry in running.items():
        queue_name, _, started = entry.decode(errors="replace").partition(":")
        try:
            job_id, queue = encoded_id.decode(), Queue(queue_name)
        except ValueError:
            drop = [keys.running_key(worker_id), encoded_id, "it is no job that a worker runs"]
            await cast("Awaitable[int]", redis.eval(QUARANTINE_FIELD, 1, *drop))  # type: ignore[arg-type]
            continue
        async with redis.pipeline(transaction=True) as pipe:
            pipe.get(keys.job_key(job_id))
            pipe.get(keys.retry_key(job_id))
            pipe.zscore(keys.queue_key(queue), job_id)
            pipe.hgetall(keys.record_key(job_id))
            body, tries, due, encoded_record = await pipe.execute()
        starts = whole_number(tries, 1)
        record = {decode_text(name): decode_text(value) for name, value in encoded_record.items()}
        jobs.append(
            ClaimedJob(
                job_id=job_id,
                queue=queue,
                worker_id=worker_id,
                body=body,
                message=decode_message(body, tries=starts, record=record),
                tries=starts,
                due_ms=to_unix_ms(keys.find_instant(due) or keys.instant_of(started)),
                started_ms=to_unix_ms(keys.instant_of(started)),
                record=record,
            )
        )
    return jobs
