"""Runs are recorded from records in any order."""

from dataclasses import replace
from datetime import datetime
from itertools import permutations
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.errors import NotFound
from flexiprice.runs.query import RunDetails, get_run, list_runs
from flexiprice.runs.recording import (
    MAX_MESSAGE_LENGTH,
    MAX_TRACEBACK_LENGTH,
    RunRecord,
    mark_runs_lost,
    purge_runs,
    record_runs,
)
from tests.support.run_records import NOON, SECOND, ended, started
from tests.support.statements import statements_of

_FINAL = sorted(set(RunStatus) - {RunStatus.RUNNING, RunStatus.LOST})


async def recorded(session: AsyncSession, record: RunRecord) -> RunDetails:
    return await get_run(session, record.run_id)


async def test_a_run_is_recorded_when_it_starts_and_completed_when_it_ends(session: AsyncSession) -> None:
    start = started(
        trigger=RunTrigger.RETRY,
        parent_job_id="older",
        request_id="req-1",
        due_at=NOON,
        arguments={"a": [1, {"b": None}]},
    )
    await record_runs(session, [start])
    running = await recorded(session, start)
    assert (running.status, running.finished_at, running.result) == (RunStatus.RUNNING, None, None)
    assert running.arguments == {"a": [1, {"b": None}]}
    await record_runs(session, [ended(start, result={"opened": 3, "price": "1.20"})])
    run = await recorded(session, start)
    assert run == RunDetails(
        run_id=start.run_id,
        task="recompute_all_discounts",
        job_id=start.job_id,
        queue="discounts",
        worker_id="till-1-77-abcdef",
        attempt=1,
        status=RunStatus.SUCCEEDED,
        trigger=RunTrigger.RETRY,
        parent_job_id="older",
        request_id="req-1",
        arguments={"a": [1, {"b": None}]},
        enqueued_at=NOON - SECOND,
        due_at=NOON,
        started_at=NOON,
        finished_at=NOON + 2 * SECOND,
        result={"opened": 3, "price": "1.20"},
        error_code=None,
        error_message=None,
        traceback=None,
    )


@pytest.mark.parametrize("final", _FINAL)
async def test_recorded_end_of_a_run_is_final(session: AsyncSession, final: RunStatus) -> None:
    start = started()
    end = ended(start, final, error_code="boom")
    await record_runs(session, [end])
    await record_runs(session, [start])
    await record_runs(session, [end, start])
    for other in (*_FINAL, RunStatus.LOST):
        await record_runs(session, [ended(start, other, error_code="other", result=1)])
    run = await recorded(session, start)
    assert (run.status, run.error_code, run.result) == (final, "boom", None)


async def test_every_order_and_repetition_of_records_comes_to_the_same_end(session: AsyncSession) -> None:
    orders = list(permutations(["start", "end", "end", "lost"]))
    for order in orders:
        start = started()
        told = {
            "start": start,
            "end": ended(start, result=7),
            "lost": ended(start, RunStatus.LOST, finished_at=NOON + 9 * SECOND),
        }
        for record in order:
            await record_runs(session, [told[record]])
        run = await recorded(session, start)
        assert (run.status, run.result, run.finished_at) == (RunStatus.SUCCEEDED, 7, NOON + 2 * SECOND), order


async def test_many_runs_are_written_by_one_statement(session: AsyncSession) -> None:
    starts = [started(attempt=number) for number in range(1, 301)]
    ends = [ended(start) for start in starts[:200]]
    async with statements_of(session) as statements:
        await record_runs(session, [*starts, *ends])
    assert len(statements) == 1
    runs = await list_runs(session, limit=500)
    assert sorted(run.attempt for run in runs) == list(range(1, 301))
    assert sum(run.status is RunStatus.SUCCEEDED for run in runs) == 200


@pytest.mark.parametrize(("state", "finished_at"), [(RunStatus.RUNNING, NOON), (RunStatus.FAILED, None)])
def test_a_record_has_an_end_exactly_where_the_run_has_ended(
    state: RunStatus, finished_at: datetime | None
) -> None:
    with pytest.raises(ValueError, match="finished_at"):
        started(status=state, finished_at=finished_at)


async def test_recording_no_runs_is_no_error(session: AsyncSession) -> None:
    await record_runs(session, [])
    assert await list_runs(session) == ()


async def test_records_of_one_run_may_share_a_statement_in_any_order(session: AsyncSession) -> None:
    first, second = started(), started()
    await record_runs(session, [first, ended(first), ended(second), second])
    for record in (first, second):
        assert (await recorded(session, record)).status is RunStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("odd", "kept"),
    [("a\0b", "a\ufffdb"), ("half \ud800", "half ?"), ("\0\udfff", "\ufffd?"), ("\\u0000", "\\u0000")],
)
async def test_run_record_that_postgresql_cannot_hold_blocks_no_other(
    session: AsyncSession, odd: str, kept: str
) -> None:
    record, plain = started(arguments={odd: [odd, {"deep": odd}]}), started()
    await record_runs(session, [record, plain])
    failed = ended(record, RunStatus.FAILED, result=(odd,), error_message=odd, traceback=odd)
    await record_runs(session, [failed, ended(plain)])
    run = await recorded(session, record)
    assert run.arguments == {kept: [kept, {"deep": kept}]}
    assert (run.result, run.error_message, run.traceback) == ([kept], kept, kept)
    assert (await recorded(session, plain)).status is RunStatus.SUCCEEDED


async def test_long_texts_keep_the_part_that_matters(session: AsyncSession) -> None:
    start = started(job_id="j" * 300)
    failed = ended(
        start, RunStatus.FAILED, error_message="first " + "m" * 5_000, traceback="t" * 50_000 + " the cause"
    )
    await record_runs(session, [failed])
    run = await recorded(session, start)
    assert run.job_id == "j" * 200
    assert (run.error_message or "").startswith("first ")
    assert len(run.error_message or "") == MAX_MESSAGE_LENGTH
    assert (run.traceback or "").endswith(" the cause")
    assert len(run.traceback or "") == MAX_TRACEBACK_LENGTH


async def test_only_the_running_runs_of_a_lost_worker_become_lost(session: AsyncSession) -> None:
    running, done, elsewhere = started(), started(), started(worker_id="till-2-78-fedcba")
    await record_runs(session, [running, ended(done), elsewhere])
    assert await mark_runs_lost(session, "till-1-77-abcdef", now=NOON + 5 * SECOND) == 1
    run = await recorded(session, running)
    assert (run.status, run.finished_at, run.error_code) == (RunStatus.LOST, NOON + 5 * SECOND, "worker_lost")
    assert (await recorded(session, done)).status is RunStatus.SUCCEEDED
    assert (await recorded(session, elsewhere)).status is RunStatus.RUNNING
    assert await mark_runs_lost(session, "till-1-77-abcdef", now=NOON + 6 * SECOND) == 0


async def test_a_clock_that_lags_never_makes_a_run_end_before_it_began(session: AsyncSession) -> None:
    start = started()
    await record_runs(session, [start])
    await mark_runs_lost(session, start.worker_id, now=NOON - 5 * SECOND)
    run = await recorded(session, start)
    assert run.ran is not None
    assert run.ran.total_seconds() == 0


async def test_a_worker_that_was_only_slow_may_still_say_how_its_run_ended(session: AsyncSession) -> None:
    start = started()
    await record_runs(session, [start])
    await mark_runs_lost(session, start.worker_id, now=NOON + 5 * SECOND)
    await record_runs(session, [ended(start, result=1)])
    run = await recorded(session, start)
    assert (run.status, run.result, run.error_code, run.error_message) == (RunStatus.SUCCEEDED, 1, None, None)


async def test_a_start_that_comes_after_the_loss_adds_what_the_finder_could_not_know(
    session: AsyncSession,
) -> None:
    start = started(request_id="req-9")
    found = replace(
        ended(start, RunStatus.LOST), arguments=None, trigger=None, request_id=None, enqueued_at=None
    )
    await record_runs(session, [found])
    assert (await recorded(session, start)).arguments is None
    await record_runs(session, [start])
    run = await recorded(session, start)
    assert (run.status, run.arguments, run.trigger) == (
        RunStatus.LOST,
        {"days_threshold": 30},
        RunTrigger.SCHEDULE,
    )
    assert (run.request_id, run.enqueued_at) == ("req-9", NOON - SECOND)


async def test_runs_that_began_before_an_instant_are_deleted(session: AsyncSession) -> None:
    runs = [ended(started(started_at=NOON + number * SECOND)) for number in range(5)]
    await record_runs(session, runs)
    assert await purge_runs(session, before=NOON + 3 * SECOND) == 3
    assert [run.run_id for run in await list_runs(session)] == [runs[4].run_id, runs[3].run_id]
    with pytest.raises(NotFound):
        await get_run(session, runs[0].run_id)


async def test_a_run_that_was_never_recorded_is_not_found(session: AsyncSession) -> None:
    with pytest.raises(NotFound):
        await get_run(session, UUID(int=1))
