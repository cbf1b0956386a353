"""Pages of the run history: sorted, both ways, counted, with bounded reads of a hundred thousand runs."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.domain.run import RunStatus
from flexiprice.runs.pages import (
    RunOrder,
    RunPlace,
    count_runs,
    list_children,
    place_of,
    read_run_page,
)
from flexiprice.runs.query import Run, RunFilter
from flexiprice.runs.recording import RunRecord, record_runs
from tests.support.run_records import NOON, SECOND, ended, started
from tests.support.statements import blocks_read, statements_of

_ANY = RunFilter()


@pytest.fixture
async def records(session: AsyncSession) -> list[RunRecord]:
    """Thirty runs, many of which share their start, their duration and their task."""
    dice = random.Random(4)
    made = [
        ended(
            begun,
            status=dice.choice([RunStatus.SUCCEEDED, RunStatus.FAILED]),
            finished_at=begun.started_at + dice.choice([1, 2, 3]) * SECOND,
        )
        for _ in range(27)
        if (
            begun := started(
                task=dice.choice("abc"),
                started_at=NOON + dice.randrange(6) * SECOND,
                enqueued_at=NOON - dice.choice([0, 1, 2]) * SECOND,
            )
        )
    ]
    made += [started(task="b", started_at=NOON + 2 * SECOND) for _ in range(3)]
    await record_runs(session, made)
    return made


def sort_key(run: Run, order: RunOrder) -> tuple[Any, ...]:
    key = {
        RunOrder.STARTED: 0,
        RunOrder.DURATION: run.ran or timedelta(0),
        RunOrder.WAIT: run.waited or timedelta(0),
        RunOrder.TASK: run.task,
    }[order]
    return (key, run.started_at, run.run_id)


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("order", list(RunOrder))
async def test_pages_lead_through_all_runs_in_order_and_back_again(
    session: AsyncSession, records: list[RunRecord], order: RunOrder, descending: bool
) -> None:
    forward = [await read_run_page(session, _ANY, order=order, descending=descending, limit=7)]
    assert forward[0].previous is None
    while (place := forward[-1].next) is not None:
        forward.append(
            await read_run_page(session, _ANY, order=order, descending=descending, place=place, limit=7)
        )
    runs = [run for page in forward for run in page.runs]
    assert {run.run_id for run in runs} == {record.run_id for record in records}
    assert runs == sorted(runs, key=lambda run: sort_key(run, order), reverse=descending)
    assert [len(page.runs) for page in forward] == [7, 7, 7, 7, 2]

    backward = [forward[-1]]
    while (place := backward[-1].previous) is not None:
        backward.append(
            await read_run_page(session, _ANY, order=order, descending=descending, place=place, limit=7)
        )
    assert [page.runs for page in reversed(backward)] == [page.runs for page in forward]


async def test_a_page_can_be_filtered_and_may_be_empty(
    session: AsyncSession, records: list[RunRecord]
) -> None:
    wanted = RunFilter(task="a", statuses=[RunStatus.FAILED])
    page = await read_run_page(session, wanted, order=RunOrder.DURATION)
    assert page.runs
    assert all(run.task == "a" and run.status is RunStatus.FAILED for run in page.runs)
    nothing = await read_run_page(session, RunFilter(task="z"))
    assert (nothing.runs, nothing.previous, nothing.next) == ((), None, None)


async def test_runs_are_counted_by_state_whatever_state_is_asked_for(
    session: AsyncSession, records: list[RunRecord]
) -> None:
    counts = await count_runs(session, RunFilter(task="b", statuses=[RunStatus.RUNNING]))
    expected = {
        state: sum(each.task == "b" and each.status is state for each in records) for state in RunStatus
    }
    assert counts.by_status == expected
    assert expected[RunStatus.RUNNING] == 3
    assert counts.complete


async def test_the_children_of_a_job_are_those_that_name_it_each_with_its_first_run(
    session: AsyncSession,
) -> None:
    parent = started(job_id="parent")
    first = started(job_id="child", parent_job_id="parent", started_at=NOON + SECOND)
    second = started(job_id="child", parent_job_id="parent", started_at=NOON + 9 * SECOND, attempt=2)
    await record_runs(session, [parent, first, second, started(parent_job_id="other")])
    children = await list_children(session, "parent", since=NOON)
    assert [run.run_id for run in children] == [first.run_id]


@pytest.fixture
async def crowded(session: AsyncSession) -> AsyncSession:
    """A hundred thousand runs of the last 56 hours, one in a thousand of which failed."""
    await session.execute(
        text(
            """
            INSERT INTO task_runs (run_id, task, job_id, queue, worker_id, attempt, status, arguments,
                enqueued_at, started_at, finished_at)
            SELECT md5(n::text)::uuid, CASE n % 10 WHEN 0 THEN 'cleanup' ELSE 'recompute' END, 'job-' || n,
                'discounts', 'worker-' || n % 3, 1,
                CASE n % 1000 WHEN 0 THEN 'failed' ELSE 'succeeded' END::run_status,
                jsonb_build_object('batch_ids', jsonb_build_array(n, n + 1)),
                at, at, at + n % 7919 * interval '1 millisecond'
            FROM generate_series(1, 100000) AS n,
                LATERAL (SELECT CAST(:noon AS timestamptz) - n * interval '2 seconds') AS t (at)
            """
        ),
        {"noon": NOON},
    )
    await session.execute(text("ANALYZE task_runs"))
    return session


async def cost_of(session: AsyncSession, *arguments: Any, **options: Any) -> int:
    """The number of blocks that PostgreSQL touches for a page of fifty."""
    async with statements_of(session) as calls:
        page = await read_run_page(session, *arguments, **options)
    assert len(page.runs) == 50
    [(statement, parameters)] = calls
    return await blocks_read(session, statement, parameters)


async def test_a_page_of_a_hundred_thousand_runs_costs_little_or_one_look_at_each_of_them(
    crowded: AsyncSession,
) -> None:
    middle = RunPlace(NOON - timedelta(hours=28), NOON - timedelta(hours=28), UUID(int=0))
    before = replace(middle, before=True)
    for wanted, options in [
        (_ANY, {}),
        (_ANY, {"place": middle}),
        (_ANY, {"place": before}),
        (_ANY, {"place": middle, "descending": False}),
        (_ANY, {"place": before, "descending": False}),
        (RunFilter(task="cleanup"), {"place": middle}),
        (RunFilter(statuses=[RunStatus.FAILED]), {}),
        (_ANY, {"order": RunOrder.TASK}),
    ]:
        assert await cost_of(crowded, wanted, **options) <= 200, (wanted, options)

    table_blocks = await crowded.scalar(text("SELECT pg_relation_size('task_runs') / 8192"))
    slowest = await read_run_page(crowded, _ANY, order=RunOrder.DURATION, limit=50)
    assert slowest.runs[0].ran == timedelta(milliseconds=7918)
    for order in (RunOrder.DURATION, RunOrder.WAIT):
        place = place_of(slowest.runs[-1], order)
        assert await cost_of(crowded, _ANY, order=order, place=place) <= table_blocks * 1.1
    counts = await count_runs(crowded, RunFilter(since=NOON - timedelta(days=7)))
    assert counts.by_status[RunStatus.FAILED] == 100
