"""Models of runs, statistics and audit entries."""

from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue

from api.schemas.tasks import TaskErrorOut
from api.schemas.values import ResponseModel
from flexiprice.access.audit_log import AuditLogEntry
from flexiprice.domain.audit import AuditOutcome, AuditSource
from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.runs.query import Run, RunDetails
from flexiprice.runs.statistics import Percentiles, TaskStatistics

_RUN: dict[str, JsonValue] = {
    "run_id": "01960000-0000-7000-8000-000000000001",
    "task": "recompute_all_discounts",
    "task_id": "0b9f5e3c6a7d4f21a8c94e5d6f7a8b9c",
    "queue": "discounts",
    "worker_id": "shop-1-4711-0a1b2c",
    "attempt": 1,
    "status": "succeeded",
    "trigger": "schedule",
    "parent_task_id": None,
    "request_id": None,
    "arguments": {"days_threshold": 30},
    "enqueued_at": "2025-03-31T08:59:58Z",
    "due_at": "2025-03-31T09:00:00Z",
    "started_at": "2025-03-31T09:00:00.003Z",
    "finished_at": "2025-03-31T09:00:00.031Z",
    "result": {"considered": 421},
    "error": None,
}


class RunOut(ResponseModel):
    """One run of a task; a task with several attempts has several runs."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RUN]})

    run_id: UUID
    task: str
    task_id: str
    queue: str | None
    worker_id: str
    attempt: int = Field(description="Number of the attempt, from 1; 0 if the task never started.")
    status: RunStatus
    trigger: RunTrigger | None
    parent_task_id: str | None
    request_id: str | None
    arguments: dict[str, Any] | None = Field(description="Arguments by name, bounded; secrets redacted.")
    enqueued_at: datetime | None
    due_at: datetime | None
    started_at: datetime
    finished_at: datetime | None
    result: object
    error: TaskErrorOut | None

    @classmethod
    def of_run(cls, run: Run) -> Self:
        """Converts a recorded run."""
        same = {name: getattr(run, name) for name in cls.model_fields if hasattr(run, name)}
        error = None
        if run.error_code is not None:
            error = TaskErrorOut(code=run.error_code, message=run.error_message or "")
        return cls.model_validate(
            {
                **same,
                "task_id": run.job_id,
                "status": run.status,
                "parent_task_id": run.parent_job_id,
                "error": error,
            }
        )


class RunDetailsOut(RunOut):
    """One run of a task with its traceback."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_RUN, "traceback": None}]})

    traceback: str | None = Field(description="Traceback of the exception, secrets redacted.")

    @classmethod
    def of_details(cls, run: RunDetails) -> Self:
        """Converts a recorded run."""
        return cls.of_run(run)


class PercentilesOut(ResponseModel):
    """Median, 95th and 99th percentile in seconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of_percentiles(cls, found: Percentiles | None) -> Self | None:
        """Converts percentiles; None if there are none."""
        if found is None:
            return None
        return cls(p50=_seconds(found.p50), p95=_seconds(found.p95), p99=_seconds(found.p99))


class TaskStatisticsOut(ResponseModel):
    """Statistics of the runs of one task within a window."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "task": "recompute_all_discounts",
                    "runs": 24,
                    "by_status": {"succeeded": 24},
                    "failure_rate": 0.0,
                    "throughput_per_minute": 0.017,
                    "wait_seconds": {"p50": 0.003, "p95": 0.005, "p99": 0.01},
                    "run_seconds": {"p50": 0.03, "p95": 0.06, "p99": 0.09},
                }
            ]
        }
    )

    task: str
    runs: int
    by_status: dict[RunStatus, int] = Field(
        description="Number of runs per status; lacks statuses without runs."
    )
    failure_rate: float = Field(description="Failed runs as a fraction of those that succeeded or failed.")
    throughput_per_minute: float
    wait_seconds: PercentilesOut | None = Field(description="Time from when a task was due to its start.")
    run_seconds: PercentilesOut | None

    @classmethod
    def of_statistics(cls, figures: TaskStatistics) -> Self:
        """Converts statistics."""
        return cls(
            task=figures.task,
            runs=figures.runs,
            by_status={status: count for status, count in figures.by_status.items() if count},
            failure_rate=figures.failure_rate,
            throughput_per_minute=round(figures.throughput_per_minute, 4),
            wait_seconds=PercentilesOut.of_percentiles(figures.wait),
            run_seconds=PercentilesOut.of_percentiles(figures.duration),
        )


class FieldChangeOut(ResponseModel):
    """The value of a field before and after a change."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"old": "5.00", "new": "4.00"}]})

    old: str | int | float | bool | None = Field(description="Null where there was none. Amounts are text.")
    new: str | int | float | bool | None = Field(description="Null where there is none. Amounts are text.")


class AuditEntryOut(ResponseModel):
    """An entry of the audit log."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "entry_id": 17,
                    "at": "2025-03-31T09:00:00Z",
                    "actor": "till-import",
                    "source": "api",
                    "action": "pause_queue",
                    "target": "discounts",
                    "address": "10.0.0.7",
                    "outcome": "done",
                    "changes": {"paused": {"old": False, "new": True}},
                    "details": {},
                    "sentence": "pause queue discounts: paused no → yes",
                }
            ]
        }
    )

    entry_id: int = Field(description="Orders the entries of one instant.")
    at: datetime = Field(description="When, by PostgreSQL's clock.")
    actor: str = Field(description="Name of the key, or the user of the machine who typed the command.")
    source: AuditSource = Field(description="The way in.")
    action: str = Field(description="What was asked for, as the operation is called.")
    target: str = Field(description="Natural name: a SKU, a store's code, a policy's version, a queue.")
    address: str | None = Field(description="The client's address; of a command, the machine's name.")
    outcome: AuditOutcome = Field(
        description="`refused` was not made, and `details.reason` says why; of `failed` it is not known."
    )
    changes: dict[str, FieldChangeOut] = Field(description="Each field that changed.")
    details: dict[str, Any] = Field(description="What else there is to know; secrets are hidden.")
    sentence: str = Field(description="What the entry tells, for people to read.")

    @classmethod
    def of_change(cls, change: AuditLogEntry) -> Self:
        """Converts an entry."""
        return cls.model_validate(change)


def _seconds(duration: timedelta) -> float:
    return round(duration.total_seconds(), 6)
