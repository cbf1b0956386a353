"""Models of enqueued tasks, their status and their progress."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import ConfigDict, Field

from api.schemas.values import ResponseModel
from flexiprice.queue.status import JobInfo, JobStatus
from flexiprice.settings import Queue

_TASK = "0b9f5e3c6a7d4f21a8c94e5d6f7a8b9c"
_STATUS_URL = f"/api/v1/admin/discounts/task-status/{_TASK}"


class EnqueuedTaskOut(ResponseModel):
    """A task that was enqueued, by this request or an earlier one with the same `Idempotency-Key`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"task_id": _TASK, "status": "queued", "status_url": _STATUS_URL}]}
    )

    task_id: str
    status: JobStatus
    status_url: str = Field(description="Path of its status.")


class TaskErrorOut(ResponseModel):
    """The error with which a task failed or was revoked."""

    code: str = Field(examples=["expired", "timeout", "worker_lost"])
    message: str


class TaskProgressOut(ResponseModel):
    """The progress that a task reported."""

    done: int = Field(description="Number of finished units of work.")
    total: int | None = Field(description="Number of all units of work; null if unknown.")
    message: str | None
    reported_at: datetime


class TaskStatusOut(ResponseModel):
    """A task's status, progress and result."""

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
    ready: bool = Field(description="Whether it has ended.")
    result: object = Field(description="Return value of the task; null until it has succeeded.")
    error: TaskErrorOut | None
    progress: TaskProgressOut | None
    enqueued_at: datetime | None
    started_at: datetime | None = Field(description="When its latest attempt began.")
    finished_at: datetime | None
    attempt: int = Field(description="Number of its latest attempt; 0 before the first.")

    @classmethod
    def of_job(cls, job: JobInfo) -> Self:
        """Converts a job."""
        shown = {name: getattr(job, name) for name in cls.model_fields if name != "task_id"}
        return cls.model_validate({**shown, "task_id": job.job_id})


class RepricingStatus(StrEnum):
    """When prices follow a change: at once, at the next scheduled recompute, or never."""

    QUEUED = "queued"
    POSTPONED = "postponed"
    NOT_NEEDED = "not_needed"


class RepricingOut(ResponseModel):
    """The repricing that follows a change.

    `postponed`: Redis is unavailable; the change is saved, and the next scheduled recompute applies it.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "queued", "task_id": _TASK, "status_url": _STATUS_URL}]}
    )

    status: RepricingStatus
    task_id: str | None = None
    status_url: str | None = None
