"""Runs reported while PostgreSQL is away are written when it is back, and never delay a job."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from structlog.testing import capture_logs

from flexiprice.domain.run import RunStatus
from flexiprice.errors import WorkerLost
from flexiprice.metrics import Metrics
from flexiprice.queue.source import JobSource
from flexiprice.queue.worker.run_info import RunInfo
from flexiprice.runs.query import Run, list_runs
from flexiprice.settings import Settings, load_settings
from tests.support.run_history import Outage
from tests.support.run_records import NOON, SECOND
from tests.support.waiting import until
from workers.runtime.recording.run_events import RunFinished
from workers.runtime.recording.run_history import RunHistory

DONE = RunFinished(status=RunStatus.SUCCEEDED, finished_at=NOON + SECOND, result={"opened": 3})
DEAD_WORKER = RunFinished(status=RunStatus.LOST, finished_at=NOON + 2 * SECOND, error=WorkerLost("gone"))


@pytest.fixture
def settings(database_url: str) -> Settings:
    """A database of the test's own, for its history."""
    return load_settings(env_files=(), database_url=database_url)


@pytest.fixture
def outage(engine: AsyncEngine) -> Outage:
    return Outage(engine)


def a_run(**differences: object) -> RunInfo:
    """A run that has just begun."""
    facts = RunInfo(
        run_id=uuid4(),
        task="cleanup",
        job_id=uuid4().hex,
        queue="maintenance",
        worker_id="till-1:77:abcdef",
        attempt=1,
        arguments={"api_key": "hush"},
        source=JobSource(),
        enqueued_at=NOON - SECOND,
        due_at=NOON - SECOND,
        started_at=NOON,
    )
    return replace(facts, **differences)


def dropped(metrics: Metrics) -> float:
    value = metrics.registry.get_sample_value("flexiprice_run_records_dropped_total")
    assert value is not None
    return value


async def recorded(engine: AsyncEngine) -> dict[str, Run]:
    async with AsyncSession(engine) as session:
        return {run.job_id: run for run in await list_runs(session, limit=500)}


async def test_runs_reported_while_postgresql_is_away_are_written_when_it_is_back(
    engine: AsyncEngine, outage: Outage
) -> None:
    history = RunHistory(outage.sessions, Metrics())
    ended, running = a_run(), a_run()
    with capture_logs() as lines:

        async def notices() -> bool:
            return bool(lines)

        history.start()
        history.run_started(ended)
        await until(notices)
        history.run_ended(ended, DONE)
        history.run_started(running)
        outage.end()

        async def written() -> bool:
            return len(await recorded(engine)) == 2

        await until(written)
        await history.aclose()
    runs = await recorded(engine)
    assert (runs[ended.job_id].status, runs[ended.job_id].result) == (RunStatus.SUCCEEDED, {"opened": 3})
    assert runs[running.job_id].status is RunStatus.RUNNING
    assert runs[running.job_id].arguments == {"api_key": "***"}
    assert [line["event"].partition(":")[0] for line in lines] == [
        "run_recording_postponed",
        "run_recording_resumed",
    ]


async def test_reporting_a_run_never_waits_for_postgresql(engine: AsyncEngine, outage: Outage) -> None:
    history = RunHistory(outage.sessions, Metrics())
    history.start()
    runs = [a_run(arguments={"batch_ids": list(range(10_000))}) for _ in range(20)]
    attempts = 0

    def count(*_: object) -> None:
        nonlocal attempts
        attempts += 1

    event.listen(outage.sessions.kw["bind"].sync_engine, "do_connect", count)
    for run in runs:
        history.run_started(run)
        history.run_ended(run, DONE)
    # No connection was tried yet; all runs are written when PostgreSQL is back.
    assert attempts == 0
    outage.end()
    await history.write_now()
    assert set(await recorded(engine)) == {run.job_id for run in runs}
    await history.aclose()


async def test_full_run_history_drops_its_oldest_records_and_counts_them(
    engine: AsyncEngine, outage: Outage
) -> None:
    metrics = Metrics()
    history = RunHistory(outage.sessions, metrics, max_kept=3)
    running, *ended = [a_run() for _ in range(5)]
    history.run_started(running)
    for run in ended:
        history.run_ended(run, DONE)
    # The first dropped record was a start, whose end repeats it; then one end was dropped.
    assert dropped(metrics) == 1
    history.run_ended(running, DONE)
    assert dropped(metrics) == 2
    outage.end()
    await history.aclose()
    assert set(await recorded(engine)) == {run.job_id for run in (running, *ended[2:])}


async def test_run_records_unwritten_at_shutdown_are_counted(outage: Outage) -> None:
    metrics = Metrics()
    history = RunHistory(outage.sessions, metrics)
    history.start()
    history.run_ended(a_run(), DONE)
    await history.aclose()
    assert dropped(metrics) == 1


async def test_run_record_that_the_database_refuses_blocks_no_other(engine: AsyncEngine) -> None:
    metrics = Metrics()
    history = RunHistory(async_sessionmaker(engine), metrics)
    runs = [a_run() for _ in range(9)]
    for run in [*runs[:4], a_run(attempt=2**40), *runs[4:]]:
        history.run_ended(run, DONE)
    # Started only now, so that all of them stand in one batch; waited for, since an end gives it little time.
    history.start()

    async def all_but_one() -> bool:
        return set(await recorded(engine)) == {run.job_id for run in runs} and dropped(metrics) == 1

    await until(all_but_one)
    await history.aclose()


async def test_recorded_end_of_a_run_outlives_a_later_report_of_a_dead_worker(engine: AsyncEngine) -> None:
    history = RunHistory(async_sessionmaker(engine), Metrics())
    told, untold = a_run(), a_run()
    history.run_ended(told, DONE)
    history.run_lost(told, DEAD_WORKER)
    history.run_started(untold)
    history.run_lost(untold, DEAD_WORKER)
    await history.aclose()
    runs = await recorded(engine)
    assert runs[told.job_id].status is RunStatus.SUCCEEDED
    assert (runs[untold.job_id].status, runs[untold.job_id].error_code) == (RunStatus.LOST, "worker_lost")


async def test_run_started_by_a_clock_ahead_does_not_end_before_it_began(engine: AsyncEngine) -> None:
    history = RunHistory(async_sessionmaker(engine), Metrics())
    run = a_run(started_at=NOON + timedelta(minutes=1))
    history.run_ended(run, DONE)
    await history.aclose()
    assert (await recorded(engine))[run.job_id].ran == timedelta(0)
