"""Time limits of a task: soft limit, hard limit, abandoned body, cancellation."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from flexiprice.errors import NotFound, SoftTimeLimitExceeded, TimeLimitExceeded
from workers.runtime.jobs.time_limits import run_with_limits

SOON = timedelta(milliseconds=20)
LATER = timedelta(milliseconds=60)
NEVER = timedelta(seconds=30)


class Body:
    """A task's body that waits for ever, and notes what happens to it."""

    def __init__(self, when_cancelled: Callable[[], Awaitable[str]] | None = None) -> None:
        self.started = asyncio.Event()
        self.released = asyncio.Event()
        self.ended = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.cancellations: list[str] = []
        self.when_cancelled = when_cancelled

    async def __call__(self) -> str:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as cancelled:
            self.cancellations.append(str(cancelled))
            self.cancelled.set()
            if self.when_cancelled is None:
                raise
            return await self.when_cancelled()
        finally:
            self.ended.set()
        raise AssertionError("nothing else ends it")

    async def go_on(self) -> str:
        """Ignores every cancellation until the test is over."""
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError as cancelled:
                self.cancellations.append(str(cancelled))
        return "late"


@pytest.fixture
async def stubborn() -> AsyncIterator[Body]:
    """A body that ignores its cancellation, and ends after the test."""
    body = Body()
    body.when_cancelled = body.go_on
    yield body
    body.released.set()
    await asyncio.wait_for(body.ended.wait(), 5)


async def test_a_body_that_ends_in_time_gives_its_result() -> None:
    async def body() -> str:
        await asyncio.sleep(0)
        return "done"

    assert await run_with_limits(body, soft=NEVER, hard=NEVER) == "done"
    assert await run_with_limits(body, soft=None, hard=NEVER) == "done"


async def test_a_body_that_fails_in_time_fails_as_itself() -> None:
    async def body() -> None:
        raise NotFound("no such batch")

    with pytest.raises(NotFound, match="no such batch"):
        await run_with_limits(body, soft=SOON, hard=NEVER)


async def test_at_the_soft_limit_the_body_is_cancelled_once_and_the_run_fails() -> None:
    body = Body()
    with pytest.raises(SoftTimeLimitExceeded, match=r"still running after 0\.02 s") as raised:
        await run_with_limits(body, soft=SOON, hard=NEVER)
    assert body.cancellations == ["soft time limit of 0.02 s"]
    assert raised.value.code == "soft_time_limit"


async def test_after_the_soft_limit_a_body_has_time_to_tidy_up() -> None:
    tidied: list[str] = []

    async def tidy() -> str:
        await asyncio.sleep(SOON.total_seconds())
        tidied.append("the temporary table")
        return "tidy"

    with pytest.raises(SoftTimeLimitExceeded):
        await run_with_limits(Body(tidy), soft=SOON, hard=NEVER)
    assert tidied == ["the temporary table"]


async def test_error_while_tidying_up_is_the_cause_of_the_failure() -> None:
    async def tidy() -> str:
        raise OSError("the disk is full")

    with pytest.raises(SoftTimeLimitExceeded) as raised:
        await run_with_limits(Body(tidy), soft=SOON, hard=NEVER)
    assert isinstance(raised.value.__cause__, OSError)


async def test_a_body_that_tidies_up_for_too_long_is_ended_at_the_hard_limit() -> None:
    async def tidy() -> str:
        await asyncio.Event().wait()
        return "tidy"

    body = Body(tidy)
    with pytest.raises(TimeLimitExceeded, match=r"still running after 0\.06 s, and was cancelled") as raised:
        await run_with_limits(body, soft=SOON, hard=LATER)
    assert raised.value.code == "timeout"
    assert body.ended.is_set()


@pytest.mark.parametrize("soft", [None, LATER, NEVER])
async def test_without_a_soft_limit_below_it_the_hard_limit_ends_the_body(soft: timedelta | None) -> None:
    body = Body()
    with pytest.raises(TimeLimitExceeded) as raised:
        await run_with_limits(body, soft=soft, hard=LATER)
    assert not isinstance(raised.value, SoftTimeLimitExceeded)
    assert body.cancellations == ["time limit of 0.06 s"]


async def test_a_body_that_ignores_its_cancellation_holds_up_nobody(stubborn: Body) -> None:
    async with asyncio.timeout(120):
        with pytest.raises(TimeLimitExceeded):
            await run_with_limits(stubborn, soft=SOON, hard=LATER, cancel_grace=SOON)
    assert not stubborn.ended.is_set()
    assert stubborn.cancellations == ["soft time limit of 0.02 s", "time limit of 0.06 s"]


async def test_a_cancellation_from_outside_reaches_the_body_and_goes_on() -> None:
    body = Body()
    run = asyncio.create_task(run_with_limits(body, soft=NEVER, hard=NEVER))
    await body.started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert body.ended.is_set()
    assert len(body.cancellations) == 1


async def test_a_cancellation_from_outside_waits_until_the_body_is_tidy() -> None:
    tidy = asyncio.Event()

    async def take_a_moment() -> str:
        await asyncio.sleep(SOON.total_seconds())
        tidy.set()
        return "what is not wanted any more"

    body = Body(take_a_moment)
    run = asyncio.create_task(run_with_limits(body, soft=None, hard=NEVER))
    await body.started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert tidy.is_set()


async def test_a_failure_while_called_off_does_not_hide_the_cancellation() -> None:
    async def fail() -> str:
        raise OSError("the connection is gone")

    body = Body(fail)
    run = asyncio.create_task(run_with_limits(body, soft=None, hard=NEVER))
    await body.started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def test_a_body_that_ignores_a_cancellation_from_outside_is_left_behind(stubborn: Body) -> None:
    run = asyncio.create_task(run_with_limits(stubborn, soft=None, hard=NEVER, cancel_grace=SOON))
    await stubborn.started.wait()
    run.cancel()
    async with asyncio.timeout(120):
        with pytest.raises(asyncio.CancelledError):
            await run
    assert not stubborn.ended.is_set()


async def test_a_second_cancellation_from_outside_waits_for_nobody(stubborn: Body) -> None:
    run = asyncio.create_task(run_with_limits(stubborn, soft=None, hard=NEVER, cancel_grace=NEVER))
    await stubborn.started.wait()
    run.cancel()
    await stubborn.cancelled.wait()
    run.cancel()
    async with asyncio.timeout(120):
        with pytest.raises(asyncio.CancelledError):
            await run
    assert not stubborn.ended.is_set()


async def test_a_body_that_ended_before_it_was_called_off_keeps_its_result() -> None:
    runs: list[asyncio.Task[str]] = []

    async def body() -> str:
        # The run is cancelled in the very turn of the loop in which the body ends.
        asyncio.get_running_loop().call_soon(runs[0].cancel)
        return "committed"

    runs.append(asyncio.create_task(run_with_limits(body, soft=None, hard=NEVER)))
    assert await runs[0] == "committed"


async def test_a_body_that_cancels_itself_has_failed_and_was_not_called_off() -> None:
    async def body() -> None:
        inner = asyncio.create_task(asyncio.sleep(NEVER.total_seconds()))
        inner.cancel()
        await inner

    with pytest.raises(RuntimeError, match="the worker did not cancel it"):
        await run_with_limits(body, soft=NEVER, hard=NEVER)


async def test_the_body_runs_under_the_name_that_it_is_given() -> None:
    async def body() -> str:
        task = asyncio.current_task()
        assert task is not None
        return task.get_name()

    assert await run_with_limits(body, soft=None, hard=NEVER, name="cleanup 42") == "cleanup 42"
