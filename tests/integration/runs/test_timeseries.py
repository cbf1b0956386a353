"""Time series of runs: one query agrees with a count by hand."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.domain.run import RunStatus
from flexiprice.errors import InvalidInput
from flexiprice.runs.recording import record_runs
from flexiprice.runs.timeseries import HISTOGRAM_BOUNDS, get_run_histograms, get_run_trend
from tests.support.run_records import NOON, SECOND, ended, started
from tests.support.statements import statements_of

_MINUTE = timedelta(minutes=1)
_MS = timedelta(milliseconds=1)


async def test_a_trend_counts_every_step_of_the_window_by_state_and_those_without_runs(
    session: AsyncSession,
) -> None:
    await record_runs(
        session,
        [
            ended(started(started_at=NOON)),
            ended(started(started_at=NOON + 59 * SECOND), RunStatus.FAILED),
            started(started_at=NOON + 2 * _MINUTE),
            ended(started(started_at=NOON + 3 * _MINUTE)),
        ],
    )
    async with statements_of(session) as statements:
        trend = await get_run_trend(session, since=NOON, until=NOON + 3 * _MINUTE, step=_MINUTE)
    assert len(statements) == 1
    assert [bucket.starts_at for bucket in trend] == [NOON, NOON + _MINUTE, NOON + 2 * _MINUTE]
    assert [bucket.runs for bucket in trend] == [2, 0, 1]
    assert trend[0].by_status[RunStatus.SUCCEEDED] == trend[0].by_status[RunStatus.FAILED] == 1
    assert trend[2].by_status[RunStatus.RUNNING] == 1


async def test_a_step_has_the_percentiles_of_what_succeeded_or_failed_in_it(session: AsyncSession) -> None:
    def took(milliseconds: int, status: RunStatus = RunStatus.SUCCEEDED):
        begun = started()
        return ended(begun, status, finished_at=begun.started_at + milliseconds * _MS)

    # Of 0, 10, …, 1000 ms the middle is 500 and 95% are at most 950.
    await record_runs(session, [took(10 * number) for number in range(101)])
    await record_runs(session, [took(99_000, RunStatus.REVOKED) for _ in range(500)])
    [bucket, empty] = await get_run_trend(session, since=NOON, until=NOON + 2 * _MINUTE, step=_MINUTE)
    assert (bucket.p50, bucket.p95) == (500 * _MS, 950 * _MS)
    assert (empty.p50, empty.p95) == (None, None)


async def test_a_trend_begins_at_a_whole_step_and_can_be_narrowed(session: AsyncSession) -> None:
    await record_runs(session, [started(task="a", queue="discounts"), started(task="b", queue="analytics")])
    window = {"since": NOON + 7 * SECOND, "until": NOON + 8 * SECOND, "step": _MINUTE}
    assert [(bucket.starts_at, bucket.runs) for bucket in await get_run_trend(session, **window)] == [
        (NOON, 2)
    ]
    assert [bucket.runs for bucket in await get_run_trend(session, **window, task="a")] == [1]
    assert [bucket.runs for bucket in await get_run_trend(session, **window, queue="maintenance")] == [0]


async def test_histograms_tell_how_waits_and_durations_are_spread(session: AsyncSession) -> None:
    def run(waited: timedelta, took: timedelta, status: RunStatus = RunStatus.SUCCEEDED):
        return ended(started(enqueued_at=NOON - waited), status, finished_at=NOON + took)

    await record_runs(
        session,
        [
            run(waited=0 * _MS, took=15 * _MS),
            run(waited=1 * _MS, took=19 * _MS),
            run(waited=30 * SECOND, took=9000 * SECOND, status=RunStatus.FAILED),
            run(waited=30 * SECOND, took=30 * SECOND, status=RunStatus.LOST),
            started(enqueued_at=None),
            # Revoked before it started.
            ended(started(attempt=0), RunStatus.FAILED, finished_at=NOON),
        ],
    )
    spread = await get_run_histograms(session, since=NOON, until=NOON + _MINUTE)

    def counted(classes: tuple[int, ...]) -> dict[timedelta | None, int]:
        """The number of values between each bound and the one before it, for bounds with values below."""
        ends = (*HISTOGRAM_BOUNDS, None)
        return {end: number for end, number in zip(ends, classes, strict=True) if number}

    assert counted(spread.waits) == {1 * _MS: 1, 2 * _MS: 1, 50 * SECOND: 2}
    assert counted(spread.durations) == {20 * _MS: 2, None: 1}


async def test_windows_without_length_and_steps_without_number_are_refused(session: AsyncSession) -> None:
    with pytest.raises(InvalidInput):
        await get_run_histograms(session, since=NOON, until=NOON)
    with pytest.raises(InvalidInput):
        await get_run_trend(session, since=NOON, until=NOON + 30 * _MINUTE, step=SECOND)
