"""Runs one attempt of a task: validates arguments, enforces time limits, decides and logs the outcome."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

from structlog.contextvars import bound_contextvars

from flexiprice.db.engine import database_errors
from flexiprice.domain.run import RunStatus
from flexiprice.errors import FlexiPriceError, TransientError, WorkerFenced, code_of
from flexiprice.queue.declarations import TaskArguments
from flexiprice.queue.redis.exception_codec import text_of
from flexiprice.queue.source import TRACE_FIELD
from flexiprice.queue.worker.outcomes import AwaitsChildren, Failed, Outcome, Retrying, Succeeded
from flexiprice.telemetry import get_logger
from flexiprice.tracing import SpanKind, span
from workers.runtime.jobs.subjobs import ChildrenPending
from workers.runtime.jobs.task import Task, TaskContext
from workers.runtime.jobs.time_limits import run_with_limits

_LOGGER = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The end of an attempt that has no outcome.

    Attributes:
        status: `released` if it was cancelled, whatever the reason; `lost` if the worker's lease expired.
        error: the refused commit of a fenced worker.
    """

    status: RunStatus
    error: WorkerFenced | None = None


# Cancelled from outside: revoked, requeued or lost. Only the consumer knows which.
CANCELLED: Final = Interrupted(RunStatus.RELEASED)


async def run_task(
    task: Task[TaskArguments], run: TaskContext, arguments: Mapping[str, object], *, record: Mapping[str, str]
) -> Outcome | Interrupted:
    """Runs a task once, in a child span of the one that enqueued it.

    Args:
        task: the task.
        run: the context for its body.
        arguments: the arguments by name, as they were sent.
        record: the job's record, which has the id of the API request and the parent span.
    """
    facts: dict[str, str | int] = {"messaging.message.id": run.job_id, "flexiprice.attempt": run.attempt}
    parent = record.get(TRACE_FIELD)
    with span(SpanKind.CONSUMER, f"run {task.declaration.name}", parent=parent, **facts) as traced:
        outcome = await _run_once(task, run, arguments, request_id=record.get("request"))
        traced.set_attribute("flexiprice.status", outcome.status.value)
        if outcome.error is not None:
            traced.fail(code_of(outcome.error))
    return outcome


async def _run_once(
    task: Task[TaskArguments], run: TaskContext, arguments: Mapping[str, object], *, request_id: str | None
) -> Outcome | Interrupted:
    declaration, settings = task.declaration, run.resources.settings
    bound = {"task": declaration.name, "job_id": run.job_id, "attempt": run.attempt, "worker": run.worker_id}
    if request_id is not None:
        bound["request_id"] = request_id

    async def body() -> object:
        try:
            with database_errors():
                return await task.body(run, declaration.parse(arguments))
        except TimeoutError as error:
            # No time limit has expired, so the timeout comes from a call inside the task.
            raise TransientError("a call inside the task timed out") from error

    with bound_contextvars(**bound):
        started = monotonic()
        _LOGGER.info("task_started")
        try:
            result = await run_with_limits(
                body,
                soft=declaration.soft_time_limit_in(settings),
                hard=declaration.time_limit_in(settings),
                name=f"job {run.job_id}",
            )
        except ChildrenPending as pending:
            _LOGGER.info("task_waiting_for_subjobs", seconds=_since(started), subjobs=pending.children)
            return AwaitsChildren()
        except Exception as error:  # noqa: BLE001 -- every error is the job's outcome
            return _failure_outcome(error, task, run.attempt, _since(started))
        except asyncio.CancelledError:
            _LOGGER.info("task_cancelled", seconds=_since(started))
            return CANCELLED
        _LOGGER.info("task_succeeded", seconds=_since(started))
        return Succeeded(result)


def _failure_outcome(
    error: Exception, task: Task[TaskArguments], attempt: int, seconds: float
) -> Retrying | Failed | Interrupted:
    facts = {"seconds": seconds, "code": code_of(error), "error": text_of(error)}
    if isinstance(error, WorkerFenced):
        _LOGGER.warning("task_fenced", **facts)
        return Interrupted(RunStatus.LOST, error)
    pause = task.declaration.retry.next_try_after(error, attempt, chance=random.random())  # noqa: S311 -- jitter, not a secret
    if pause is not None:
        _LOGGER.warning("task_retry_scheduled", retry_in_seconds=round(pause.total_seconds(), 3), **facts)
        return Retrying(error, pause)
    _LOGGER.error("task_failed", exc_info=None if isinstance(error, FlexiPriceError) else error, **facts)
    return Failed(error)


def _since(started: float) -> float:
    return round(monotonic() - started, 3)
