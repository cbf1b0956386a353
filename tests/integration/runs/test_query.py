"""Filters and pages of the run history."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.domain.run import RunStatus
from flexiprice.runs.query import MAX_LISTED_RUNS, RunFilter, list_attempts, list_runs
from flexiprice.runs.recording import RunRecord, record_runs
from tests.support.run_records import NOON, SECOND, ended, started
from tests.support.statements import blocks_read, statements_of

_THOUSANDS = 100
_PAGE = 50


async def found(session: AsyncSession, **wanted: Any) -> set[UUID]:
    return {run.run_id for run in await list_runs(session, RunFilter(**wanted))}


@pytest.fixture
async def runs(session: AsyncSession) -> dict[str, RunRecord]:
    """Four different runs by name."""
    made = {
        "plain": ended(started()),
        "running": started(worker_id="till-2-78-fedcba", started_at=NOON + 10 * SECOND),
        "failed": ended(
            started(started_at=NOON + 20 * SECOND, arguments={"note": "Äpfel_100%"}),
            RunStatus.FAILED,
            error_code="database_unavailable",
            error_message="the Database does not answer",
        ),
        "cleanup": ended(
            started(
                task="cleanup_expired_discounts",
                queue="maintenance",
                started_at=NOON + 30 * SECOND,
                arguments={},
            )
        ),
    }
    await record_runs(session, list(made.values()))
    return made


async def test_runs_are_listed_the_latest_first(session: AsyncSession, runs: dict[str, RunRecord]) -> None:
    listed = await list_runs(session)
    assert [run.run_id for run in listed] == [
        runs[name].run_id for name in ("cleanup", "failed", "running", "plain")
    ]
    assert listed[3].waited == SECOND
    assert listed[3].ran == 2 * SECOND
    assert listed[2].ran is None


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, {"plain", "running", "failed", "cleanup"}),
        ({"task": "cleanup_expired_discounts"}, {"cleanup"}),
        ({"queue": "discounts"}, {"plain", "running", "failed"}),
        ({"statuses": [RunStatus.FAILED]}, {"failed"}),
        ({"statuses": [RunStatus.FAILED, RunStatus.RUNNING, RunStatus.FAILED]}, {"failed", "running"}),
        ({"statuses": list(RunStatus)}, {"plain", "running", "failed", "cleanup"}),
        ({"worker_id": "till-2-78-fedcba"}, {"running"}),
        ({"worker_id": "nobody"}, set()),
        ({"since": NOON + 20 * SECOND}, {"failed", "cleanup"}),
        ({"until": NOON + 20 * SECOND}, {"plain", "running"}),
        ({"since": NOON + 10 * SECOND, "until": NOON + 20 * SECOND}, {"running"}),
        ({"text": "threshold"}, {"plain", "running"}),
        ({"text": "äPFEL"}, {"failed"}),
        ({"text": "does NOT answer"}, {"failed"}),
        ({"text": "database_un"}, {"failed"}),
        ({"text": "_100%"}, {"failed"}),
        ({"text": "%"}, {"failed"}),
        ({"text": "'; DROP TABLE task_runs; --"}, set()),
        ({"task": "recompute_all_discounts", "statuses": [RunStatus.SUCCEEDED], "text": "30"}, {"plain"}),
    ],
)
async def test_a_filter_finds_the_runs_that_meet_all_of_it(
    session: AsyncSession, runs: dict[str, RunRecord], wanted: dict[str, Any], names: set[str]
) -> None:
    assert await found(session, **wanted) == {runs[name].run_id for name in names}


async def test_all_attempts_of_a_job_are_found_the_latest_first_with_their_tracebacks(
    session: AsyncSession,
) -> None:
    first = ended(started(job_id="one"), RunStatus.RETRYING, traceback="Traceback …")
    second = started(job_id="one", attempt=2, started_at=NOON + 10 * SECOND)
    await record_runs(session, [second, first, started(job_id="other")])
    attempts = await list_attempts(session, "one")
    assert [(run.attempt, run.traceback) for run in attempts] == [(2, None), (1, "Traceback …")]
    assert await list_attempts(session, "never") == ()


async def test_pages_follow_each_other_without_gap_or_repetition_also_within_one_instant(
    session: AsyncSession,
) -> None:
    records = [ended(started(started_at=NOON + (number // 10) * SECOND)) for number in range(45)]
    await record_runs(session, records)
    read, after = list[UUID](), None
    while page := await list_runs(session, after=after, limit=7):
        read += [run.run_id for run in page]
        after = (page[-1].started_at, page[-1].run_id)
    assert len(read) == 45
    assert set(read) == {record.run_id for record in records}


@pytest.fixture
async def crowded(session: AsyncSession) -> AsyncIterator[AsyncSession]:
    """A hundred thousand runs of the last days: one in a thousand failed, one in ten is a cleanup."""
    await session.execute(
        text(
            """
            INSERT INTO task_runs (run_id, task, job_id, queue, worker_id, attempt, status, arguments,
                enqueued_at, started_at, finished_at)
            SELECT md5(n::text)::uuid, CASE n % 10 WHEN 0 THEN 'cleanup' ELSE 'recompute' END, 'job-' || n,
                'discounts', 'worker-' || n % 3, 1,
                CASE n % 1000 WHEN 0 THEN 'failed' ELSE 'succeeded' END::run_status,
                jsonb_build_object('batch_ids', jsonb_build_array(n, n + 1)),
                at, at, at + interval '1 second'
            FROM generate_series(1, :runs) AS n,
                LATERAL (SELECT CAST(:noon AS timestamptz) - n * interval '2 seconds') AS t (at)
            """
        ),
        {"runs": _THOUSANDS * 1000, "noon": NOON},
    )
    await session.execute(text("ANALYZE task_runs"))
    return session


async def pages_read(session: AsyncSession, *arguments: Any, **options: Any) -> int:
    """The number of blocks of table and indexes that PostgreSQL touches for one page of runs."""
    async with statements_of(session) as calls:
        listed = await list_runs(session, *arguments, limit=_PAGE, **options)
    assert listed
    [(statement, parameters)] = calls
    return await blocks_read(session, statement, parameters)


async def test_a_page_deep_in_a_hundred_thousand_runs_costs_what_the_first_one_does(
    crowded: AsyncSession,
) -> None:
    deep = (NOON - timedelta(seconds=2 * 990 * _THOUSANDS), UUID(int=2**128 - 1))
    middle = (NOON - timedelta(seconds=2 * 500 * _THOUSANDS), UUID(int=2**128 - 1))
    failed = RunFilter(statuses=[RunStatus.FAILED])
    cleanup = RunFilter(task="cleanup")
    assert await pages_read(crowded) <= 3 * _PAGE
    assert await pages_read(crowded, after=deep) <= 3 * _PAGE
    assert await pages_read(crowded, cleanup, after=middle) <= 3 * _PAGE
    assert await pages_read(crowded, failed) <= 3 * _PAGE
    assert await pages_read(crowded, failed, after=middle) <= 3 * _PAGE
    assert await pages_read(crowded, RunFilter(worker_id="worker-1"), after=deep) <= 6 * _PAGE


async def test_a_page_is_never_longer_than_agreed_on(session: AsyncSession) -> None:
    await record_runs(session, [started() for _ in range(MAX_LISTED_RUNS + 1)])
    assert len(await list_runs(session, limit=10_000)) == MAX_LISTED_RUNS
