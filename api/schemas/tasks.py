"""Tasks: what was started, and what became of it."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import ConfigDict, Field

from api.schemas.values import Shown
from flexiprice.queue.status import JobInfo, JobStatus
from flexiprice.settings import Queue

_TASK = "0b9f5e3c6a7d4f21a8c94e5d6f7a8b9c"
_STATUS_URL = f"/api/v1/admin/discounts/task-status/{_TASK}"


class StartedTask(Shown):
    """A task that was enqueued, now or by an earlier request with the same `Idempotency-Key`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"task_id": _TASK, "status": "queued", "status_url": _STATUS_URL}]}
    )

    task_id: str
    status: JobStatus
    status_url: str = Field(description="Where to ask what became of it.")


class TaskError(Shown):
    """Why a task failed or was revoked."""

    code: str = Field(examples=["expired", "timeout", "worker_lost"])
    message: str


class TaskProgress(Shown):
    """How far a task has come, as it says itself."""

    done: int = Field(description="Units of work that are behind it.")
    total: int | None = Field(description="Units of work that there are, where that is known.")
    message: str | None
    reported_at: datetime


class TaskStatus(Shown):
    """What is known of a task."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "task_id": _TASK,
                    "task": "recompute_all_discounts",
                    "queue": "discounts",
                    "status": "succeeded",
                    "ready": True,
                    "result": {
                        "considered": 421,
                        "opened": 12,
                        "changed": 3,
                        "closed": 1,
                        "unchanged": 405,
                        "duration_seconds": 0.021,
                    },
                    "error": None,
                    "progress": None,
                    "enqueued_at": "2025-03-31T09:00:00.012Z",
                    "started_at": "2025-03-31T09:00:00.015Z",
                    "finished_at": "2025-03-31T09:00:00.041Z",
                    "attempt": 1,
                }
            ]
        }
    )

    task_id: str
    task: str | None
    queue: Queue | None
    status: JobStatus
    ready: bool = Field(description="Whether it has ended, one way or the other.")
    result: object = Field(description="What the task returned; null until it has succeeded.")
    error: TaskError | None
    progress: TaskProgress | None
    enqueued_at: datetime | None
    started_at: datetime | None = Field(description="When its latest try began.")
    finished_at: datetime | None
    attempt: int = Field(description="Number of its latest try; 0 before the first.")

    @classmethod
    def of_job(cls, job: JobInfo) -> Self:
        """What is shown of a job's status."""
        shown = {name: getattr(job, name) for name in cls.model_fields if name != "task_id"}
        return cls.model_validate({**shown, "task_id": job.job_id})


class RepricingStatus(StrEnum):
    """What happens to prices after a change: at once, at the next scheduled recompute, or nothing."""

    QUEUED = "queued"
    POSTPONED = "postponed"
    NOT_NEEDED = "not_needed"


class Repricing(Shown):
    """How a change reaches the prices.

    `postponed` says that Redis did not answer: the change is kept, and the next scheduled recompute
    prices it.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "queued", "task_id": _TASK, "status_url": _STATUS_URL}]}
    )

    status: RepricingStatus
    task_id: str | None = None
    status_url: str | None = None
