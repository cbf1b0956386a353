"""Taking jobs for a worker and letting go of them: each in one round trip, whole or not at all.

A job that is taken is marked with its worker and stands in that worker's list of running jobs. Only while
it is marked so can its worker write how it ended: a worker that counts as lost writes nothing more.
"""

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, cast

from flexiprice.queue.arq import ArqRedis, in_progress_key_prefix, job_key_prefix, retry_key_prefix, to_ms
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.claim_scripts import CLAIM, LOOKED_AT
from flexiprice.queue.redis.scripts import RELEASE
from flexiprice.queue.snapshot import text
from flexiprice.queue.worker.claimed_job import ClaimedJob
from flexiprice.queue.worker.dead_letter_records import NO_DEAD_LETTER, DeadLetterNote
from flexiprice.queue.worker.heartbeat import LEASE
from flexiprice.queue.worker.losses import Loss
from flexiprice.queue.worker.run_outbox import PendingRun
from flexiprice.settings import Queue, Settings

# A mark lasts until its worker or whoever finds that one lost takes it away; this is for neither.
_MARK_KEPT: Final = timedelta(days=3)
_RECORD_PREFIX: Final = keys.record_key("")
# A job is made due by the last of its parts; this is for parts that are gone without having ended.
_PARTS_LOOKED_AFTER: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What one look at a queue came to.

    Attributes:
        jobs: those that were taken.
        next_due_ms: in how many milliseconds the next job is due; None where none is known.
        called_off: those of the jobs held or taken that are to end.
        looked_at: jobs at the head of the queue that need not be looked at again before the others.
    """

    jobs: Sequence[ClaimedJob]
    next_due_ms: int | None
    called_off: Sequence[str]
    looked_at: int = 0


# Per job: id, due time, body, tries, record. Then when to look again, what is called off, the time, and from
# where to look.
_TakeReply = tuple[
    Sequence[tuple[bytes, bytes, bytes | None, int, Sequence[bytes]]], int, Sequence[bytes], bytes, int
]


class Release(StrEnum):
    """Tells the script what becomes of a job that its worker lets go."""

    FINISH = "end"
    RETRY = "again"
    REQUEUE = "back"
    SUSPEND = "wait"


class JobClaims:
    """Takes jobs in the name of one worker."""

    def __init__(self, redis: ArqRedis, settings: Settings, *, worker_id: str) -> None:
        self._redis = redis
        self._worker_id = worker_id
        self._kept_ms = to_ms(settings.result_retention) or 0
        self._patience_ms = to_ms(settings.unknown_task_patience) or 0
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
        """Takes what is due of a queue, and asks for what is called off.

        A worker whose lease has lapsed takes nothing, nor does anybody of a paused queue. A job of a task
        that this worker does not know is left, until nobody who does has come for too long.

        Args:
            queue: which one.
            room: how many jobs to take at most.
            window: how many to look at in one step.
            held: ids of the jobs that the worker runs.
            tasks: names of the tasks that it knows.
            looked_at: as the look before came to.

        Raises:
            redis.RedisError: as redis-py has it.
        """
        held = list(held)
        reply = cast(
            "_TakeReply",
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
                    to_ms(_MARK_KEPT) or 0,
                    self._patience_ms,
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
        taken, pause, called_off, now, looked_at = reply
        jobs = [
            ClaimedJob(
                job_id=job_id.decode(),
                queue=queue,
                worker_id=self._worker_id,
                body=body,
                tries=int(tries),
                due_ms=int(float(due)),
                started_ms=int(now),
                record=_paired(record),
            )
            for job_id, due, body, tries, record in taken
        ]
        next_due_ms = None if pause < 0 else pause
        return ClaimResult(jobs, next_due_ms, [job_id.decode() for job_id in called_off], looked_at)

    async def name_task(self, job: ClaimedJob, task: str) -> None:
        """Notes in a job's record what only its body told, for others to see without taking it."""
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
        """Ends a job for good; returns whether it was the worker's to end.

        Args:
            job: which one.
            result: as arq encodes it; nothing is kept where it is None.
            run: what the history is to be told.
            loss: how the job's worker was lost, where it was and another one says so.
            dead_letter: puts the job on the list of those that need a person.
        """
        return await self._release_job(
            job, Release.FINISH, run, result=result or b"", loss=loss, dead_letter=dead_letter
        )

    async def try_again(self, job: ClaimedJob, pause: timedelta, run: PendingRun) -> bool:
        """Lets a job be started once more after a pause; returns whether it was the worker's to say."""
        return await self._release_job(job, Release.RETRY, run, pause_ms=to_ms(pause) or 0)

    async def give_back(self, job: ClaimedJob, run: PendingRun | None, *, loss: Loss | None = None) -> bool:
        """Lets a job be run by anybody at once, as if this try had not been; returns whether it did.

        Args:
            job: which one.
            run: what the history is to be told; None where no run was begun.
            loss: how the job's worker was lost, where it was and another one says so.
        """
        return await self._release_job(job, Release.REQUEUE, run, loss=loss)

    async def wait_for_children(self, job: ClaimedJob, run: PendingRun) -> bool:
        """Lets a job wait until its parts have ended; returns whether it was the worker's to say."""
        return await self._release_job(job, Release.SUSPEND, run, pause_ms=to_ms(_PARTS_LOOKED_AFTER) or 0)

    async def _release_job(
        self,
        job: ClaimedJob,
        how: Release,
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
                    how.value,
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


def _paired(flat: Sequence[bytes]) -> dict[str, str]:
    return {text(name): text(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}
