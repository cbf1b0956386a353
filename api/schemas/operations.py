"""Models of requests that operate tasks, and of their results."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema

from api.schemas.tasks import TaskStatusOut
from api.schemas.values import RequestModel, ResponseModel
from flexiprice.domain.run import RunTrigger
from flexiprice.queue.admin.retry import RetryOutcome
from flexiprice.queue.admin.revoke import RevokeOutcome
from flexiprice.queue.client import MAX_JOB_ID_LENGTH, can_be_job_id
from flexiprice.queue.status import JobInfo, JobStatus

MAX_TASK_IDS = 1000
_TASK = "0b9f5e3c6a7d4f21a8c94e5d6f7a8b9c"
_OTHER_TASK = "5d41402abc4b2a76b9719d911017c592"
_WORKER = "shop-1-4711-0a1b2c"
_LONGEST_DELAY_SECONDS = 365 * 24 * 3600


def _id_of_a_task(task_id: str) -> str:
    if not can_be_job_id(task_id):
        raise ValueError(f"must have 1 to {MAX_JOB_ID_LENGTH} printable characters")
    return task_id


TaskId = Annotated[
    str,
    AfterValidator(_id_of_a_task),
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": MAX_JOB_ID_LENGTH, "description": "Printable."}
    ),
]
Seconds = Annotated[float, Field(ge=0, le=_LONGEST_DELAY_SECONDS, allow_inf_nan=False)]


class TaskCreate(RequestModel):
    """A task to enqueue."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"task": "recompute_all_discounts", "arguments": {"days_threshold": 14}}]
        }
    )

    task: Annotated[str, Field(min_length=1, max_length=200, description="Name of the task.")]
    arguments: dict[str, Any] = Field(default_factory=dict, description="Arguments by name.")
    defer_by: Seconds | None = Field(default=None, description="Seconds until it is due.")
    expires: Seconds | None = Field(
        default=None, description="Seconds after which it fails if no worker has started it."
    )


class TaskIds(RequestModel):
    """Tasks by their ids."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task_ids": [_TASK, _OTHER_TASK]}]})

    task_ids: Annotated[list[TaskId], Field(min_length=1, max_length=MAX_TASK_IDS)]


class RevokedTaskOut(ResponseModel):
    """The outcome of revoking a task.

    `prevented`: it was waiting and will not run; `cancelled`: it was running and has stopped; `ended`: it had
    ended before; `asked`: cancellation was requested but not confirmed, so it may still be running.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "task_id": _TASK,
                    "outcome": "prevented",
                    "message": "it had not started, and will not run",
                    "status": "revoked",
                }
            ]
        }
    )

    task_id: str = Field(validation_alias="job_id")
    outcome: RevokeOutcome
    message: str
    status: JobStatus | None


class RetriedTaskOut(ResponseModel):
    """The outcome of retrying a task."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "task_id": _TASK,
                    "outcome": "enqueued",
                    "new_task_id": _OTHER_TASK,
                    "message": "recompute_all_discounts is enqueued again",
                }
            ]
        }
    )

    task_id: str = Field(validation_alias="job_id")
    outcome: RetryOutcome
    new_task_id: str | None = Field(
        validation_alias="new_job_id", description="Id of the task that retries it."
    )
    message: str


class TaskDetailsOut(TaskStatusOut):
    """A task's status, progress, result and source."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "task_id": _TASK,
                    "task": "recompute_all_discounts",
                    "queue": "discounts",
                    "status": "running",
                    "ready": False,
                    "result": None,
                    "error": None,
                    "progress": {
                        "done": 40,
                        "total": 100,
                        "message": "bakery",
                        "reported_at": "2025-03-31T09:00:00.400Z",
                    },
                    "enqueued_at": "2025-03-31T09:00:00.012Z",
                    "due_at": None,
                    "started_at": "2025-03-31T09:00:00.015Z",
                    "finished_at": None,
                    "attempt": 1,
                    "worker_id": _WORKER,
                    "trigger": "api",
                    "parent_task_id": None,
                    "request_id": "6f1d0c0f5a7e4c0d9c1f3b1a2e4d5c6b",
                    "actor": "till-import",
                }
            ]
        }
    )

    due_at: datetime | None = Field(description="When it is due; null after it was started.")
    worker_id: str | None = Field(description="Id of the worker that runs it.")
    trigger: RunTrigger
    parent_task_id: str | None = Field(description="Id of the task that it retries, or that enqueued it.")
    request_id: str | None = Field(description="Id of the API request that enqueued it.")
    actor: str | None

    @classmethod
    def of_job(cls, job: JobInfo) -> Self:
        """Converts a job."""
        status = TaskStatusOut.of_job(job).model_dump()
        return cls.model_validate(
            {
                **status,
                "due_at": job.due_at,
                "worker_id": job.worker_id,
                "trigger": job.source.trigger,
                "parent_task_id": job.source.parent_job_id,
                "request_id": job.source.request_id,
                "actor": job.source.actor,
            }
        )


class NextTickOut(ResponseModel):
    """The next tick of a schedule."""

    name: str = Field(description="Name of the schedule.")
    task: str
    next_tick_at: datetime
    paused: bool


class ScheduledTasksOut(ResponseModel):
    """Deferred tasks, and the next ticks of schedules."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "deferred": [],
                    "ticks": [
                        {
                            "name": "recompute_all_discounts",
                            "task": "recompute_all_discounts",
                            "next_tick_at": "2025-03-31T10:00:00Z",
                            "paused": False,
                        }
                    ],
                }
            ]
        }
    )

    deferred: list[TaskDetailsOut] = Field(description="Tasks that are not due yet, soonest first.")
    ticks: list[NextTickOut]


class RegisteredTaskOut(ResponseModel):
    """A task that live workers declare."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"task": "recompute_all_discounts", "worker_ids": [_WORKER]}]}
    )

    task: str
    worker_ids: list[str]
