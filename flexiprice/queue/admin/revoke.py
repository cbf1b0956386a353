"""Revokes jobs: waiting ones never start, running ones are cancelled, and each outcome is confirmed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final, cast
from uuid import uuid4

from redis.typing import EncodableT

from flexiprice.domain.run import RunStatus
from flexiprice.errors import JobRevoked, NotFound
from flexiprice.queue.arq import to_ms, to_unix_ms
from flexiprice.queue.client import TaskQueue, can_be_job_id
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.queue.redis.clock import redis_now
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.redis.scripts import REVOKE
from flexiprice.queue.status import JobInfo, JobStatus
from flexiprice.queue.worker.job_message import decode_message
from flexiprice.queue.worker.outcomes import Revoked as RevokedRun
from flexiprice.queue.worker.results import encode_result
from flexiprice.queue.worker.run_outbox import NO_WORKER, PendingRun
from flexiprice.settings import Queue

# Longer than a worker needs to react, and than the reaper needs to requeue a dead worker's jobs.
CONFIRMATION: Final = timedelta(seconds=10)
# Few enough to block Redis for only a few milliseconds.
_CHUNK: Final = 100
_REPEAT_INTERVAL: Final = timedelta(seconds=1)


class RevokeOutcome(StrEnum):
    """The outcome of a revocation.

    `prevented`: the job had not started and never will. `cancelled`: it was running and has stopped. `ended`:
    it had finished before. `asked`: its cancellation is not confirmed. `unknown`: there is no such job.
    """

    PREVENTED = "prevented"
    CANCELLED = "cancelled"
    ENDED = "ended"
    ASKED = "asked"
    UNKNOWN = "unknown"


_MESSAGES: Final = {
    RevokeOutcome.PREVENTED: "it had not started, and will not run",
    RevokeOutcome.CANCELLED: "it was running, and has been cancelled",
    RevokeOutcome.ENDED: "it had ended before it could be revoked",
    RevokeOutcome.ASKED: "its cancellation was asked for, but is not confirmed: it may still be running",
    RevokeOutcome.UNKNOWN: "there is no such job, or its result is no longer kept",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """The result of revoking one job.

    Attributes:
        job_id: the job.
        outcome: the outcome.
        message: the outcome for people.
        status: the job's current status; None if it is unknown.
    """

    job_id: str
    outcome: RevokeOutcome
    message: str
    status: JobStatus | None


async def revoke_jobs(
    tasks: TaskQueue,
    job_ids: Sequence[str],
    *,
    timeout: timedelta = CONFIRMATION,  # noqa: ASYNC109 -- part of the answer
) -> tuple[Revoked, ...]:
    """Revokes waiting and running jobs, and waits until each outcome is confirmed.

    Args:
        tasks: the task queue.
        job_ids: the jobs; duplicates are ignored.
        timeout: maximum time to wait until running jobs have stopped.

    Raises:
        RedisUnavailable: Redis does not answer; the outcomes are unknown.
    """
    wanted = list(dict.fromkeys(job_ids))
    known = [job_id for job_id in wanted if can_be_job_id(job_id)]
    deadline = asyncio.get_running_loop().time() + timeout.total_seconds()
    outcomes = dict.fromkeys(wanted, RevokeOutcome.UNKNOWN)
    ran: set[str] = set()
    while known:
        statuses = await tasks.find_statuses(known)
        for job_id, status in statuses.items():
            if status.ready:
                stopped = job_id in ran and status.status is JobStatus.REVOKED
                outcomes[job_id] = RevokeOutcome.CANCELLED if stopped else RevokeOutcome.ENDED
        open_ids = [job_id for job_id, status in statuses.items() if not status.ready]
        found = await _revoke(tasks, [statuses[job_id] for job_id in open_ids], tell_workers=True)
        for job_id, outcome in zip(open_ids, found, strict=True):
            if outcome == "revoked":
                outcomes[job_id] = RevokeOutcome.CANCELLED if job_id in ran else RevokeOutcome.PREVENTED
            else:
                outcomes[job_id] = RevokeOutcome.ASKED
                if outcome == "running":
                    ran.add(job_id)
        known = [job_id for job_id in open_ids if outcomes[job_id] is RevokeOutcome.ASKED]
        remaining = deadline - asyncio.get_running_loop().time()
        if not known or remaining <= 0:
            break
        # A worker that died or requeued the job meanwhile leaves it waiting, so revoke it again.
        await _wait_for_any(tasks, known, min(_REPEAT_INTERVAL, timedelta(seconds=remaining)))
    final = await tasks.find_statuses([job_id for job_id in wanted if can_be_job_id(job_id)])
    return tuple(_answer(job_id, outcomes[job_id], final.get(job_id)) for job_id in wanted)


async def purge(tasks: TaskQueue, queues: Sequence[Queue] = tuple(Queue)) -> dict[Queue, int]:
    """Revokes all waiting and deferred jobs. Running jobs are not affected.

    Returns:
        The number of revoked jobs by queue.

    Raises:
        RedisUnavailable: Redis does not answer; some jobs may have been revoked.
    """
    purged: dict[Queue, int] = {}
    for queue in queues:
        with redis_errors():
            remaining: int = await tasks.redis.zcard(keys.queue_key(queue))
        purged[queue] = skipped = 0
        # Jobs that arrive meanwhile stay. Running jobs stay too and are skipped.
        while remaining > 0:
            with redis_errors():
                last = skipped + min(_CHUNK, remaining) - 1
                members: list[bytes] = await tasks.redis.zrange(keys.queue_key(queue), skipped, last)
            if not members:
                break
            remaining -= len(members)
            ids = [member.decode(errors="replace") for member in members]
            revoked = await _purge_chunk(tasks, queue, ids)
            purged[queue] += revoked
            skipped += len(members) - revoked
    return purged


async def _purge_chunk(tasks: TaskQueue, queue: Queue, job_ids: Sequence[str]) -> int:
    jobs = [(job_id, queue) for job_id in job_ids]
    return (await _revoke_in(tasks, jobs, tell_workers=False)).count("revoked")


async def _revoke(tasks: TaskQueue, statuses: Sequence[JobInfo], *, tell_workers: bool) -> list[str]:
    jobs = [(status.job_id, status.queue or next(iter(Queue))) for status in statuses]
    return await _revoke_in(tasks, jobs, tell_workers=tell_workers)


async def _revoke_in(tasks: TaskQueue, jobs: Sequence[tuple[str, Queue]], *, tell_workers: bool) -> list[str]:
    """Returns `revoked`, `running` or `changed` for each job."""
    outcomes: list[str] = []
    for start in range(0, len(jobs), _CHUNK):
        outcomes += await _revoke_chunk(tasks, jobs[start : start + _CHUNK], tell_workers=tell_workers)
    return outcomes


async def _revoke_chunk(
    tasks: TaskQueue, jobs: Sequence[tuple[str, Queue]], *, tell_workers: bool
) -> list[str]:
    """Runs the script for one chunk."""
    redis, retention = tasks.redis, to_ms(tasks.settings.result_retention) or 1
    with redis_errors():
        bodies: list[bytes | None] = await redis.mget([keys.job_key(job_id) for job_id, _ in jobs])
        now_ms = to_unix_ms(await redis_now(redis))
        facts: list[EncodableT] = [
            *(keys.job_key(""), keys.result_key(""), keys.in_progress_key(""), keys.retry_key("")),
            *(keys.record_key(""), keys.finished_channel("")),
            retention,
            int(tell_workers),
            NO_WORKER,
        ]
        for (job_id, queue), body in zip(jobs, bodies, strict=True):
            facts += [job_id, keys.queue_key(queue), keys.notify_channel(queue), body or b""]
            facts += _revoked_result(job_id, queue, body or b"", now_ms)
        script_keys = [keys.ABORTED_JOBS, keys.run_outbox_key(NO_WORKER), keys.RUN_OUTBOX_WORKERS]
        outcomes = cast("list[bytes]", await redis.register_script(REVOKE)(keys=script_keys, args=facts))
    return [outcome.decode() for outcome in outcomes]


def _revoked_result(job_id: str, queue: Queue, body: bytes, now_ms: int) -> tuple[bytes, str, bytes]:
    """Builds arq's result, the run's id and the outbox record of a job that is revoked before it starts."""
    message = decode_message(body, tries=0, record={})
    # The time is by the producer's clock.
    enqueued_ms = min(message.enqueued_ms, now_ms)
    result = encode_result(
        replace(message, attempt=0, enqueued_ms=enqueued_ms),
        RevokedRun(JobRevoked("the job was revoked before it started")),
        job_id=job_id,
        queue=queue,
        body=body,
        started_ms=now_ms,
        finished_ms=now_ms,
    )
    run = PendingRun(
        run_id=uuid4(),
        task=message.task,
        job_id=job_id,
        queue=queue,
        attempt=0,
        status=RunStatus.REVOKED,
        enqueued_ms=enqueued_ms,
        due_ms=enqueued_ms,
        started_ms=now_ms,
        finished_ms=now_ms,
    )
    return result, str(run.run_id), run.to_bytes()


async def _wait_for_any(tasks: TaskQueue, job_ids: Sequence[str], limit: timedelta) -> None:
    waits = [asyncio.create_task(_wait_for(tasks, job_id, limit)) for job_id in job_ids[:_CHUNK]]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await asyncio.gather(*map(cancel_and_wait, waits))


async def _wait_for(tasks: TaskQueue, job_id: str, limit: timedelta) -> None:
    try:
        await tasks.wait(job_id, limit)
    except NotFound:
        return


def _answer(job_id: str, outcome: RevokeOutcome, status: JobInfo | None) -> Revoked:
    message = _MESSAGES[outcome]
    if outcome is RevokeOutcome.ENDED and status is not None:
        message = f"{message} ({status.status})"
    return Revoked(
        job_id=job_id, outcome=outcome, message=message, status=None if status is None else status.status
    )
