"""Running one try of a task: arguments checked, time limited, retried where that may help, logged."""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from arq.typing import WorkerCoroutine
from arq.worker import Function, Retry
from structlog.contextvars import bound_contextvars

from flexiprice.db.engine import database_errors
from flexiprice.errors import FlexiPriceError, InvalidInput, TimeLimitExceeded, TransientError
from flexiprice.jobs.declarations import TaskArguments, TaskDeclaration
from flexiprice.resources import Resources
from flexiprice.settings import Settings
from flexiprice.telemetry import get_logger
from workers.runtime.progress import reporting
from workers.runtime.task import Task, TaskRun

# What a worker's context holds beside what arq puts there.
RESOURCES = "flexiprice_resources"
WORKER_ID = "flexiprice_worker_id"

# A body that does not end when it is told to is left to arq's own limit, this much later.
_ARQ_LIMIT_MARGIN_SECONDS = 10

_LOGGER = get_logger(__name__)


def arq_function(task: Task[TaskArguments], settings: Settings) -> Function:
    """The task as arq takes it."""
    declaration = task.declaration
    return Function(
        name=declaration.name,
        coroutine=arq_coroutine(task),
        timeout_s=declaration.time_limit_in(settings).total_seconds() + _ARQ_LIMIT_MARGIN_SECONDS,
        keep_result_s=settings.result_retention.total_seconds(),
        keep_result_forever=False,
        max_tries=declaration.max_tries,
    )


def arq_coroutine(task: Task[TaskArguments]) -> WorkerCoroutine:
    """The function that arq calls with its context and the job's arguments."""

    async def run(ctx: dict[Any, Any], *unnamed: object, **arguments: object) -> object:
        if unnamed:
            raise InvalidInput(f"{task.declaration.name}: its arguments have names")
        return await _run(task, ctx, arguments)

    run.__qualname__ = task.declaration.name
    return run


async def _run(task: Task[TaskArguments], ctx: Mapping[str, Any], arguments: Mapping[str, object]) -> object:
    resources: Resources = ctx[RESOURCES]
    attempt: int = ctx["job_try"]
    started = monotonic()
    bound = {
        "task": task.declaration.name,
        "job_id": ctx["job_id"],
        "attempt": attempt,
        "worker": ctx[WORKER_ID],
    }
    with bound_contextvars(**bound):
        _LOGGER.info("task started")
        try:
            async with reporting(resources.redis, job_id=ctx["job_id"], worker_id=ctx[WORKER_ID]) as progress:
                run = TaskRun(
                    job_id=ctx["job_id"],
                    attempt=attempt,
                    now=datetime.now(tz=UTC),
                    resources=resources,
                    progress=progress,
                )
                result = await _limited(task, run, task.declaration.parse(arguments), resources.settings)
        except Exception as error:
            raise _answer_to(error, task.declaration, attempt, monotonic() - started) from error
        except asyncio.CancelledError as error:
            if not _is_being_cancelled():
                # arq takes every cancellation for a hand-back, and would run the job for ever.
                raise RuntimeError("the task cancelled itself") from error
            _LOGGER.info("task cancelled", seconds=round(monotonic() - started, 3))
            raise
        _LOGGER.info("task succeeded", seconds=round(monotonic() - started, 3))
        return result


async def _limited(
    task: Task[TaskArguments], run: TaskRun, arguments: TaskArguments, settings: Settings
) -> object:
    limit = task.declaration.time_limit_in(settings).total_seconds()
    deadline = asyncio.timeout(limit)
    try:
        async with deadline:
            with database_errors():
                return await task.body(run, arguments)
    except TimeoutError as error:
        if deadline.expired():
            raise TimeLimitExceeded(f"the task ran longer than {limit:g} seconds") from error
        raise TransientError("something that the task waited for took too long") from error


def _answer_to(
    error: Exception, declaration: TaskDeclaration[TaskArguments], attempt: int, seconds: float
) -> Exception:
    """What arq is told of an exception: to try again, or what to keep as the job's result."""
    code = error.code if isinstance(error, FlexiPriceError) else type(error).__name__
    facts = {"seconds": round(seconds, 3), "code": code, "error": str(error)}
    if isinstance(error, TransientError) and attempt < declaration.max_tries:
        pause = _pause_after(declaration, attempt)
        _LOGGER.warning("task will be tried again", retry_in_seconds=round(pause, 3), **facts)
        return Retry(defer=pause)
    _LOGGER.error("task failed", exc_info=None if isinstance(error, FlexiPriceError) else error, **facts)
    return error


def _is_being_cancelled() -> bool:
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


def _pause_after(declaration: TaskDeclaration[TaskArguments], attempt: int) -> float:
    first, longest = declaration.first_retry_after, declaration.longest_retry_after
    pause = min(first.total_seconds() * 2.0 ** (attempt - 1), longest.total_seconds())
    return pause * random.uniform(0.5, 1.0)  # noqa: S311 -- spreads out, hides nothing
