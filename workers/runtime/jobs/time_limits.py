"""Enforces the soft and hard time limits of a task."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from flexiprice.errors import SoftTimeLimitExceeded, TimeLimitExceeded
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)

# Enough to roll back a transaction. A body that takes longer ignores its cancellation.
CANCEL_GRACE: Final = timedelta(seconds=5)

T = TypeVar("T")

# The event loop holds only weak references to tasks.
_abandoned: Final[set[asyncio.Task[object]]] = set()


async def run_with_limits(
    body: Callable[[], Awaitable[T]],
    *,
    soft: timedelta | None,
    hard: timedelta,
    cancel_grace: timedelta = CANCEL_GRACE,
    name: str | None = None,
) -> T:
    """Runs the body of a task, and returns or raises its outcome if it finishes in time.

    At the soft limit the body is cancelled once and may clean up in `except` and `finally` until the hard
    limit. Its run then fails with `SoftTimeLimitExceeded`, however the body ends, because it did not complete
    its work. At the hard limit the body is cancelled again. A body that still runs after `cancel_grace` is
    abandoned, so that it blocks nothing; its outcome can no longer be reported.

    A cancellation from outside is passed to the body and raised when the body has ended. It is raised without
    waiting further after `cancel_grace` or at a second cancellation.

    Args:
        body: makes the awaitable, which runs in an asyncio task of its own.
        soft: the soft limit; ignored if it is None or not below the hard one.
        hard: the hard limit, also counted from the start.
        cancel_grace: time for a cancelled body to end.
        name: name of the asyncio task, which `LoopMonitor` logs.

    Raises:
        SoftTimeLimitExceeded: the body was cancelled at the soft limit and ended before the hard one.
        TimeLimitExceeded: the body did not end before the hard limit.
        RuntimeError: the body ended as cancelled although the worker did not cancel it.
    """

    async def run() -> T:
        return await body()

    task = asyncio.create_task(run(), name=name)
    try:
        if soft is not None and soft < hard:
            if await _finishes(task, soft):
                return _outcome(task)
            _LOGGER.warning("soft_time_limit_reached", limit=_format(soft))
            task.cancel(f"soft time limit of {_format(soft)}")
            if await _finishes(task, hard - soft):
                raise SoftTimeLimitExceeded(
                    f"the task was still running after {_format(soft)}, and was cancelled at its soft limit",
                    seconds=soft.total_seconds(),
                ) from _body_error(task)
        elif await _finishes(task, hard):
            return _outcome(task)
        task.cancel(f"time limit of {_format(hard)}")
        if not await _finishes(task, cancel_grace):
            _abandon(task)
    except asyncio.CancelledError:
        if task.done() and not task.cancelling():
            # It ended before the cancellation, so its outcome counts.
            return _outcome(task)
        await _cancel_body(task, cancel_grace)
        raise
    raise TimeLimitExceeded(
        f"the task was still running after {_format(hard)}, and was cancelled", seconds=hard.total_seconds()
    ) from _body_error(task)


async def _finishes(task: asyncio.Task[T], within: timedelta) -> bool:
    done, _ = await asyncio.wait([task], timeout=within.total_seconds())
    return bool(done)


def _outcome(task: asyncio.Task[T]) -> T:
    if task.cancelled():
        # Raised as it is, it would look like a cancellation by the worker.
        raise RuntimeError("the task ended as cancelled, but the worker did not cancel it")
    return task.result()


async def _cancel_body(task: asyncio.Task[T], cancel_grace: timedelta) -> None:
    task.cancel()
    try:
        has_ended = await _finishes(task, cancel_grace)
    except asyncio.CancelledError:
        has_ended = task.done()
    if not has_ended:
        _abandon(task)
    _body_error(task)


def _body_error(task: asyncio.Task[T]) -> BaseException | None:
    """Returns the error that a cancelled body raised, if it is not the cancellation."""
    # Reading it also keeps asyncio from logging it as never retrieved.
    return task.exception() if task.done() and not task.cancelled() else None


def _abandon(task: asyncio.Task[T]) -> None:
    _LOGGER.error("task_abandoned", asyncio_task=task.get_name())
    _abandoned.add(task)
    task.add_done_callback(_forget)


def _forget(task: asyncio.Task[T]) -> None:
    _abandoned.discard(task)
    _body_error(task)
    _LOGGER.warning("abandoned_task_ended", asyncio_task=task.get_name())


def _format(limit: timedelta) -> str:
    minutes, seconds = divmod(limit.total_seconds(), 60)
    return f"{minutes:.0f} min" if minutes and not seconds else f"{limit.total_seconds():g} s"
