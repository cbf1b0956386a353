"""Models of queues, schedules and workers."""

from datetime import datetime, timedelta
from typing import Literal, Self

from pydantic import ConfigDict, Field

from api.schemas.values import ResponseModel
from flexiprice.queue.admin.queues import QueueState
from flexiprice.queue.schedule_state import ScheduleState
from flexiprice.queue.worker.heartbeat import LiveWorker, WorkerStatus
from flexiprice.settings import Queue

_WORKER = "shop-1-4711-0a1b2c"


class QueueOut(ResponseModel):
    """The current state of a queue."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "queue": "discounts",
                    "waiting": 3,
                    "deferred": 0,
                    "running": 1,
                    "oldest_waiting_seconds": 0.8,
                    "paused": False,
                    "paused_at": None,
                    "paused_by": None,
                }
            ]
        }
    )

    queue: Queue
    waiting: int = Field(description="Number of due tasks that no worker has claimed.")
    deferred: int = Field(description="Number of tasks that are not due yet, or that wait for a retry.")
    running: int = Field(description="Number of running tasks.")
    oldest_waiting_seconds: float | None
    paused: bool
    paused_at: datetime | None
    paused_by: str | None

    @classmethod
    def of_state(cls, state: QueueState) -> Self:
        """Converts a queue's state."""
        oldest: timedelta | None = state.oldest_waiting
        return cls(
            queue=state.queue,
            waiting=state.waiting,
            deferred=state.deferred,
            running=state.running,
            oldest_waiting_seconds=None if oldest is None else round(oldest.total_seconds(), 3),
            paused=state.paused_at is not None,
            paused_at=state.paused_at,
            paused_by=state.paused_by,
        )


class PurgedOut(ResponseModel):
    """The number of revoked waiting tasks."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"purged": 3, "by_queue": {"discounts": 3}}]})

    purged: int
    by_queue: dict[Queue, int]


class ScheduleOut(ResponseModel):
    """The current state of a schedule."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "recompute_all_discounts",
                    "task": "recompute_all_discounts",
                    "queue": "discounts",
                    "crontab": "0 * * * *",
                    "time_zone": "UTC",
                    "source": "workers",
                    "disagreement": None,
                    "next_tick_at": "2025-03-31T10:00:00Z",
                    "last_tick_at": "2025-03-31T09:00:00Z",
                    "paused_at": None,
                    "paused_by": None,
                }
            ]
        }
    )

    name: str = Field(description="Name of the schedule.")
    task: str
    queue: Queue
    crontab: str
    time_zone: str
    source: Literal["workers", "settings"] = Field(
        description="Source of the crontab line: live workers, or the API's settings if no worker has it."
    )
    disagreement: str | None = Field(
        description="Different crontab lines of live workers; null if they agree."
    )
    next_tick_at: datetime = Field(description="Next tick; it enqueues nothing while the schedule is paused.")
    last_tick_at: datetime | None
    paused_at: datetime | None
    paused_by: str | None

    @classmethod
    def of_state(cls, state: ScheduleState) -> Self:
        """Converts a schedule's state."""
        return cls(
            name=state.name,
            task=state.task,
            queue=state.queue,
            crontab=state.crontab,
            time_zone=state.time_zone,
            source="workers" if state.is_published else "settings",
            disagreement=state.disagreement,
            next_tick_at=state.next_tick_at,
            last_tick_at=state.last_tick_at,
            paused_at=state.paused_at,
            paused_by=state.paused_by,
        )


class RunningTaskOut(ResponseModel):
    """A task that a worker runs."""

    task_id: str = Field(validation_alias="job_id")
    task: str
    queue: Queue
    attempt: int
    started_at: datetime


class WorkerOut(ResponseModel):
    """A live worker, by its heartbeat of every second."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "worker_id": _WORKER,
                    "host": "shop-1",
                    "pid": 4711,
                    "queues": ["discounts", "maintenance", "analytics"],
                    "tasks": ["recompute_all_discounts"],
                    "version": "0.1.0",
                    "concurrency": 10,
                    "status": "running",
                    "started_at": "2025-03-31T08:00:00Z",
                    "seen_at": "2025-03-31T09:00:00Z",
                    "running": [],
                    "succeeded": 61,
                    "failed": 0,
                    "retried": 1,
                    "memory_bytes": 91226112,
                    "cpu": 0.01,
                    "loop_lag_seconds": 0.0004,
                    "clock_drift_seconds": 0.002,
                }
            ]
        }
    )

    worker_id: str
    host: str
    pid: int
    queues: list[Queue]
    tasks: list[str]
    version: str = Field(description="Version of FlexiPrice that it runs.")
    concurrency: int
    status: WorkerStatus
    started_at: datetime
    seen_at: datetime
    running: list[RunningTaskOut] = Field(description="Running tasks.")
    succeeded: int = Field(description="Number of runs that succeeded since its start.")
    failed: int = Field(description="Number of runs that failed since its start.")
    retried: int = Field(description="Number of runs that are retried since its start.")
    memory_bytes: int
    cpu: float = Field(description="Recent processor time, as a fraction of one core.")
    loop_lag_seconds: float = Field(description="Largest recent lag of its event loop.")
    clock_drift_seconds: float = Field(
        description="How far its clock is ahead of that of Redis; beyond 60 it runs no schedules."
    )

    @classmethod
    def of_worker(cls, worker: LiveWorker) -> Self:
        """Converts a live worker."""
        return cls.model_validate(worker)


class CommandedWorkerOut(ResponseModel):
    """The result of a command to a worker."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"worker_id": _WORKER, "confirmed": True, "message": "it takes no more tasks"}]
        }
    )

    worker_id: str
    confirmed: bool
    message: str
