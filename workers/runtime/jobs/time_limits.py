"""How long the body of a task may run: a soft limit to tidy up at, and a hard one that ends it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from flexiprice.errors import SoftTimeLimitExceeded, TimeLimitExceeded
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)

# Long enough to roll a transaction back; what takes longer than this ignores its cancellation.
CANCEL_GRACE: Final = timedelta(seconds=5)

T = TypeVar("T")

# The event loop itself holds tasks only weakly.
_left_behind: Final[set[asyncio.Task[object]]] = set()


async def run_with_limits(
    body: Callable[[], Awaitable[T]],
    *,
    soft: timedelta | None,
    hard: timedelta,
    cancel_grace: timedelta = CANCEL_GRACE,
    name: str | None = None,
) -> T:
    """Runs the body of a task, and returns or raises what it does, if that comes in time.

    At the soft limit the body is cancelled once, and may tidy up in `except` and `finally` until the hard
    limit. However it ends after that, by its own decision or not, the run fails as
    `SoftTimeLimitExceeded`: a body that was told to stop did not do its work. At the hard limit it is
    cancelled again. A body that even then goes on is left behind after `unwind`, so that it holds up
    nobody; what it still does can no longer be reported.

    A cancellation from outside is passed to the body, and goes on as soon as the body has ended; after
    `unwind`, or at a second cancellation, without it.

    Args:
        body: makes the awaitable to run; it runs as an asyncio task of its own.
        soft: the soft limit; without effect where it is None or not below the hard one.
        hard: the hard limit, counted from the start as well.
        cancel_grace: how long a cancelled body is waited for where no limit says more.
        name: of the asyncio task, by which `LoopMonitor` names it.

    Raises:
        SoftTimeLimitExceeded: the body was told to tidy up, and ended before the hard limit.
        TimeLimitExceeded: the body did not end before the hard limit.
        RuntimeError: the body ended as cancelled although nobody had called it off.
    """

    async def run() -> T:
        return await body()

    task = asyncio.create_task(run(), name=name)
    try:
        if soft is not None and soft < hard:
            if await _ends(task, soft):
                return _outcome(task)
            _LOGGER.warning("soft_time_limit_reached", limit=_text(soft))
            task.cancel(f"soft time limit of {_text(soft)}")
            if await _ends(task, hard - soft):
                raise SoftTimeLimitExceeded(
                    f"the task was still running after {_text(soft)}, and was told to tidy up",
                    seconds=soft.total_seconds(),
                ) from _body_error(task)
        elif await _ends(task, hard):
            return _outcome(task)
        task.cancel(f"time limit of {_text(hard)}")
        if not await _ends(task, cancel_grace):
            _abandon(task)
    except asyncio.CancelledError:
        if task.done() and not task.cancelling():
            # It had ended before anyone called it off, so what it did is what happened.
            return _outcome(task)
        await _call_off(task, cancel_grace)
        raise
    raise TimeLimitExceeded(
        f"the task was still running after {_text(hard)}, and was ended", seconds=hard.total_seconds()
    ) from _body_error(task)


async def _ends(task: asyncio.Task[T], within: timedelta) -> bool:
    done, _ = await asyncio.wait([task], timeout=within.total_seconds())
    return bool(done)


def _outcome(task: asyncio.Task[T]) -> T:
    if task.cancelled():
        # Passed on as it is, it would look as if the worker had called the run off.
        raise RuntimeError("the task ended as cancelled, and nobody had called it off")
    return task.result()


async def _call_off(task: asyncio.Task[T], cancel_grace: timedelta) -> None:
    task.cancel()
    try:
        ended = await _ends(task, cancel_grace)
    except asyncio.CancelledError:
        ended = task.done()
    if not ended:
        _abandon(task)
    _body_error(task)


def _body_error(task: asyncio.Task[T]) -> BaseException | None:
    """What a body raised when it was cancelled, other than its cancellation."""
    # Asking also tells asyncio that somebody knows of it.
    return task.exception() if task.done() and not task.cancelled() else None


def _abandon(task: asyncio.Task[T]) -> None:
    _LOGGER.error("task_abandoned", asyncio_task=task.get_name())
    _left_behind.add(task)
    task.add_done_callback(_forget)


def _forget(task: asyncio.Task[T]) -> None:
    _left_behind.discard(task)
    _body_error(task)
    _LOGGER.warning("abandoned_task_ended", asyncio_task=task.get_name())


def _text(limit: timedelta) -> str:
    minutes, seconds = divmod(limit.total_seconds(), 60)
    return f"{minutes:.0f} min" if minutes and not seconds else f"{limit.total_seconds():g} s"
