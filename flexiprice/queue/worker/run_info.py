"""The facts of a run that are known from its start."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self
from uuid import UUID, uuid5

from flexiprice.queue.redis.keys import find_instant, instant_of
from flexiprice.queue.source import JobSource
from flexiprice.queue.worker.claimed_job import ClaimedJob

_RUN_IDS: Final = UUID("5f0f6dd4-6a8e-4dc4-a6a1-1f6f0e3f9a51")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The facts of a run that are known from its start.

    Attributes:
        run_id: derived from worker, job and start, so that every worker computes the same id.
        task: the task's name.
        job_id: the job.
        queue: the queue of the job.
        worker_id: the worker that runs it.
        attempt: number of the attempt, from 1; lost and requeued runs do not count. 0 if the job was
            rejected without running.
        arguments: the arguments by name, neither masked nor bounded.
        source: the source of the job.
        enqueued_at: when the job was enqueued, by the clock of Redis.
        due_at: when the job was due.
        started_at: when the run started, by the clock of Redis.
    """

    run_id: UUID
    task: str
    job_id: str
    queue: str
    worker_id: str
    attempt: int
    arguments: Mapping[str, object]
    source: JobSource
    enqueued_at: datetime
    due_at: datetime
    started_at: datetime

    @classmethod
    def of(cls, job: ClaimedJob, *, started: bool = True) -> Self:
        """Returns the run of a claim.

        Args:
            job: the claimed job.
            started: whether its task starts; False if the job is rejected.
        """
        message = job.message
        return cls(
            run_id=uuid5(_RUN_IDS, f"{job.worker_id}\n{job.job_id}\n{job.started_ms}"),
            task=message.task,
            job_id=job.job_id,
            queue=job.queue.value,
            worker_id=job.worker_id,
            attempt=message.attempt if started else 0,
            arguments=message.arguments,
            source=JobSource.of_record(job.record),
            enqueued_at=find_instant(job.record.get("enqueued")) or instant_of(message.enqueued_ms),
            due_at=instant_of(job.due_ms),
            started_at=instant_of(job.started_ms),
        )
