"""Claims jobs for a worker and releases them, each in one atomic round trip.

A claim sets the worker in the job's in-progress key and adds the job to the worker's list of running jobs.
Only the worker that holds the claim can write the job's end: a lost worker writes nothing more.
"""

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, cast

from flexiprice.queue.arq import ArqRedis, in_progress_key_prefix, job_key_prefix, retry_key_prefix, to_ms
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.scripts import CLAIM, LOOKED_AT, RELEASE
from flexiprice.queue.snapshot import text
from flexiprice.queue.worker.claimed_job import ClaimedJob
from flexiprice.queue.worker.dead_letter_records import NO_DEAD_LETTER, DeadLetterNote
from flexiprice.queue.worker.heartbeat import LEASE
from flexiprice.queue.worker.job_message import decode_message
from flexiprice.queue.worker.losses import Loss
from flexiprice.queue.worker.run_outbox import PendingRun
from flexiprice.settings import Queue, Settings

# Claims normally end by release or by the reaper; this TTL is a safety net.
_CLAIM_TTL: Final = timedelta(days=3)
_RECORD_PREFIX: Final = keys.record_key("")
# The last child job makes its parent due. This delay is a safety net for children that vanished.
_CHILDREN_CHECK_DELAY: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """The result of one claim call.

    Attributes:
        jobs: the claimed jobs.
        next_due_ms: milliseconds until the next job is due; None if unknown.
        revoked: ids of claimed and held jobs that are to be cancelled.
        looked_at: jobs at the head of the queue that the next call may skip.
    """

    jobs: Sequence[ClaimedJob]
    next_due_ms: int | None
    revoked: Sequence[str]
    looked_at: int = 0


# Id, due time, body, tries, record.
_JobReply = tuple[bytes, bytes, bytes | None, int, Sequence[bytes]]
# The jobs, the time until the next poll, the revoked ids, the time of Redis and the offset.
_ClaimReply = tuple[Sequence[_JobReply], int, Sequence[bytes], bytes, int]


class Release(StrEnum):
    """The mode of the release script."""

    FINISH = "end"
    RETRY = "again"
    REQUEUE = "back"
    SUSPEND = "wait"


class JobClaims:
    """Claims and releases jobs of one worker."""

    def __init__(self, redis: ArqRedis, settings: Settings, *, worker_id: str) -> None:
        self._redis = redis
        self._worker_id = worker_id
        self._kept_ms = to_ms(settings.result_retention) or 0
        self._unknown_task_timeout_ms = to_ms(settings.unknown_task_patience) or 0
        self._claim = redis.register_script(CLAIM)
        self._release = redis.register_script(RELEASE)

    async def take(
        self,
        queue: Queue,
        *,
        room: int,
        window: int,
        held: Iterable[str],
        tasks: Iterable[str],
        looked_at: int = 0,
    ) -> ClaimResult:
        """Claims due jobs of a queue, and reads which jobs are revoked.

        Claims nothing if the worker's lease has expired or the queue is paused. Jobs of unknown tasks are
        left for other workers until they have waited too long.

        Args:
            queue: the queue.
            room: maximum number of jobs to claim.
            window: number of jobs that the script reads in one step.
            held: ids of the jobs that the worker runs.
            tasks: names of the tasks that the worker knows.
            looked_at: `looked_at` of the previous result.

        Raises:
            redis.RedisError: the call to Redis failed.
        """
        held = list(held)
        reply = cast(
            "_ClaimReply",
            await self._claim(
                keys=[
                    keys.queue_key(queue),
                    keys.PAUSED_QUEUES,
                    keys.WORKERS,
                    keys.running_key(self._worker_id),
                    keys.ABORTED_JOBS,
                    keys.LOST_WORKERS,
                    keys.lone_key(self._worker_id),
                ],
                args=[
                    self._worker_id,
                    queue.value,
                    room,
                    min(window, LOOKED_AT),
                    to_ms(LEASE) or 0,
                    to_ms(_CLAIM_TTL) or 0,
                    self._unknown_task_timeout_ms,
                    in_progress_key_prefix,
                    job_key_prefix,
                    _RECORD_PREFIX,
                    retry_key_prefix,
                    looked_at,
                    len(held),
                    *held,
                    *tasks,
                ],
            ),
        )
        claimed, pause, revoked, now, looked_at = reply
        jobs = [self._job(job, queue, int(now)) for job in claimed]
        next_due_ms = None if pause < 0 else pause
        return ClaimResult(jobs, next_due_ms, [job_id.decode() for job_id in revoked], looked_at)

    def _job(self, reply: _JobReply, queue: Queue, now_ms: int) -> ClaimedJob:
        job_id, due, body, tries, fields = reply
        record = {text(name): text(value) for name, value in zip(fields[::2], fields[1::2], strict=True)}
        return ClaimedJob(
            job_id=job_id.decode(),
            queue=queue,
            worker_id=self._worker_id,
            body=body,
            message=decode_message(body, tries=int(tries), record=record),
            tries=int(tries),
            due_ms=int(float(due)),
            started_ms=now_ms,
            record=record,
        )

    async def name_task(self, job: ClaimedJob, task: str) -> None:
        """Writes the task's name into the job's record, so that other workers need not decode the body."""
        await cast("Awaitable[int]", self._redis.hset(keys.record_key(job.job_id), "task", task))

    async def end(
        self,
        job: ClaimedJob,
        result: bytes | None,
        run: PendingRun,
        *,
        loss: Loss | None = None,
        dead_letter: DeadLetterNote = NO_DEAD_LETTER,
    ) -> bool:
        """Finishes a job. Returns False if the worker no longer held the claim.

        Args:
            job: the job.
            result: the result as arq encodes it; None stores nothing.
            run: the run for the outbox.
            loss: kind of loss of the job's worker, if the reaper calls this.
            dead_letter: makes the job a dead letter.
        """
        return await self._release_job(
            job, Release.FINISH, run, result=result or b"", loss=loss, dead_letter=dead_letter
        )

    async def try_again(self, job: ClaimedJob, pause: timedelta, run: PendingRun) -> bool:
        """Schedules a retry after a delay. Returns False if the worker no longer held the claim."""
        return await self._release_job(job, Release.RETRY, run, pause_ms=to_ms(pause) or 0)

    async def give_back(self, job: ClaimedJob, run: PendingRun | None, *, loss: Loss | None = None) -> bool:
        """Requeues a job at once without counting this attempt. Returns False without a claim.

        Args:
            job: the job.
            run: the run for the outbox; None if no run has started.
            loss: kind of loss of the job's worker, if the reaper calls this.
        """
        return await self._release_job(job, Release.REQUEUE, run, loss=loss)

    async def wait_for_children(self, job: ClaimedJob, run: PendingRun) -> bool:
        """Suspends a job until its children have finished. Returns False without a claim."""
        return await self._release_job(job, Release.SUSPEND, run, pause_ms=to_ms(_CHILDREN_CHECK_DELAY) or 0)

    async def _release_job(
        self,
        job: ClaimedJob,
        mode: Release,
        run: PendingRun | None,
        *,
        result: bytes = b"",
        pause_ms: int = 0,
        loss: Loss | None = None,
        dead_letter: DeadLetterNote = NO_DEAD_LETTER,
    ) -> bool:
        reply = cast(
            "int",
            await self._release(
                keys=[
                    keys.in_progress_key(job.job_id),
                    keys.running_key(job.worker_id),
                    keys.job_key(job.job_id),
                    keys.result_key(job.job_id),
                    keys.retry_key(job.job_id),
                    keys.record_key(job.job_id),
                    keys.queue_key(job.queue),
                    keys.ABORTED_JOBS,
                    keys.LOST_WORKERS,
                    keys.run_outbox_key(job.worker_id),
                ],
                args=[
                    job.worker_id,
                    job.job_id,
                    job.started_ms,
                    mode.value,
                    "" if loss is None else loss.value,
                    result,
                    self._kept_ms,
                    pause_ms,
                    keys.notify_channel(job.queue),
                    keys.finished_channel(job.job_id),
                    "" if run is None else str(run.run_id),
                    b"" if run is None else run.to_bytes(),
                    dead_letter.reason,
                    dead_letter.content,
                ],
            ),
        )
        return reply == 1
