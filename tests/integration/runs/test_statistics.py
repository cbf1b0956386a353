"""Statistics of runs: one query agrees with a count by hand."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.domain.run import RunStatus
from flexiprice.errors import InvalidInput
from flexiprice.runs.recording import record_runs
from flexiprice.runs.statistics import Percentiles, get_run_statistics
from tests.support.run_records import NOON, SECOND, ended, started
from tests.support.statements import statements_of

_HOUR = timedelta(hours=1)


async def test_durations_and_waits_are_given_at_three_percentiles(session: AsyncSession) -> None:
    # Run n waited n seconds and took 10 n milliseconds.
    records = [
        ended(start, finished_at=start.started_at + number * timedelta(milliseconds=10))
        for number in range(1, 102)
        if (start := started(started_at=NOON + number * SECOND, enqueued_at=NOON))
    ]
    await record_runs(session, records)
    [figures] = await get_run_statistics(session, since=NOON, until=NOON + _HOUR)
    assert figures.wait == Percentiles(51 * SECOND, 96 * SECOND, 100 * SECOND)
    milliseconds = timedelta(milliseconds=1)
    assert figures.duration == Percentiles(510 * milliseconds, 960 * milliseconds, 1000 * milliseconds)


async def test_runs_are_counted_by_how_they_stand(session: AsyncSession) -> None:
    states = {
        RunStatus.SUCCEEDED: 6,
        RunStatus.FAILED: 2,
        RunStatus.RETRYING: 3,
        RunStatus.REVOKED: 1,
        RunStatus.LOST: 2,
        RunStatus.RELEASED: 1,
    }
    await record_runs(
        session, [ended(started(), state) for state, count in states.items() for _ in range(count)]
    )
    await record_runs(session, [started(), started()])
    [figures] = await get_run_statistics(session, since=NOON, until=NOON + _HOUR)
    assert figures.task == "recompute_all_discounts"
    assert figures.runs == 17
    assert figures.by_status == {**states, RunStatus.RUNNING: 2}
    assert figures.failure_rate == 0.25
    assert figures.throughput_per_minute == 15 / 60


async def test_each_task_has_figures_of_its_own_by_one_query(session: AsyncSession) -> None:
    await record_runs(session, [started(task="b"), ended(started(task="a")), ended(started(task="a"))])
    async with statements_of(session) as statements:
        figures = await get_run_statistics(session, since=NOON, until=NOON + _HOUR)
    assert len(statements) == 1
    assert [(each.task, each.runs) for each in figures] == [("a", 2), ("b", 1)]
    assert figures[1].duration is None
    assert figures[1].failure_rate == 0
    [only] = await get_run_statistics(session, since=NOON, until=NOON + _HOUR, task="b")
    assert only == figures[1]


async def test_only_runs_that_began_within_the_window_count(session: AsyncSession) -> None:
    await record_runs(session, [started(started_at=NOON + number * SECOND) for number in range(4)])
    [figures] = await get_run_statistics(session, since=NOON + SECOND, until=NOON + 3 * SECOND)
    assert figures.runs == 2
    assert await get_run_statistics(session, since=NOON + _HOUR, until=NOON + 2 * _HOUR) == ()


async def test_waiting_counts_from_when_a_deferred_job_was_due(session: AsyncSession) -> None:
    await record_runs(session, [started(enqueued_at=NOON - _HOUR, due_at=NOON - SECOND)])
    [figures] = await get_run_statistics(session, since=NOON, until=NOON + _HOUR)
    assert figures.wait == Percentiles(SECOND, SECOND, SECOND)


async def test_only_what_succeeded_or_failed_says_how_long_the_task_takes(session: AsyncSession) -> None:
    ends = {RunStatus.SUCCEEDED: 1, RunStatus.LOST: 100, RunStatus.REVOKED: 100, RunStatus.RELEASED: 100}
    await record_runs(
        session, [ended(started(), state, finished_at=NOON + count * SECOND) for state, count in ends.items()]
    )
    [figures] = await get_run_statistics(session, since=NOON, until=NOON + _HOUR)
    assert figures.duration == Percentiles(SECOND, SECOND, SECOND)


async def test_clocks_that_differ_make_no_negative_wait(session: AsyncSession) -> None:
    await record_runs(session, [started(enqueued_at=NOON + 5 * SECOND)])
    [figures] = await get_run_statistics(session, since=NOON, until=NOON + _HOUR)
    assert figures.wait == Percentiles(timedelta(0), timedelta(0), timedelta(0))


async def test_an_empty_window_is_refused(session: AsyncSession) -> None:
    with pytest.raises(InvalidInput) as caught:
        await get_run_statistics(session, since=NOON, until=NOON)
    assert caught.value.details["field"] == "until"
