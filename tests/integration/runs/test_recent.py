"""Recent runs for the monitor: jobs that left the queues, and runs of schedules."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.runs.recent import count_ended, list_last_successes, list_schedule_runs
from flexiprice.runs.recording import record_runs
from tests.support.run_records import NOON, SECOND, ended, started
from tests.support.statements import statements_of

_MINUTE = timedelta(minutes=1)


async def test_only_what_left_its_queue_for_good_since_then_is_counted(session: AsyncSession) -> None:
    before = started(started_at=NOON - 10 * SECOND)
    long = started(started_at=NOON - 20 * _MINUTE)
    too_long = started(started_at=NOON - 40 * _MINUTE)
    await record_runs(
        session,
        [
            ended(started()),
            ended(started(), RunStatus.FAILED),
            ended(started(queue="analytics"), RunStatus.REVOKED),
            ended(long, finished_at=NOON),
            # These are still in their queue, left it before, or started before the window.
            ended(started(), RunStatus.RETRYING),
            ended(started(), RunStatus.LOST),
            started(),
            ended(before),
            ended(too_long, finished_at=NOON + SECOND),
        ],
    )
    counted = await count_ended(session, since=NOON, longest=30 * _MINUTE)
    assert counted == {"discounts": 3, "analytics": 1}


async def test_the_latest_runs_of_each_schedule_come_the_oldest_first_by_one_query(
    session: AsyncSession,
) -> None:
    def run(number: int, **differences: object) -> None:
        start = started(**{"job_id": f"run-{number}", "started_at": NOON + number * SECOND, **differences})
        records.append(ended(start))

    records: list[object] = []
    for number in range(5):
        run(number)
    run(5, trigger=RunTrigger.SCHEDULE_BY_HAND, due_at=NOON)
    run(6, trigger=RunTrigger.LATE_SCHEDULE)
    run(7, trigger=RunTrigger.API)
    run(8, task="cleanup_expired_discounts", trigger=RunTrigger.SCHEDULE)
    await record_runs(session, records)
    tasks = ["recompute_all_discounts", "cleanup_expired_discounts", "update_price_history"]
    async with statements_of(session) as statements:
        found = await list_schedule_runs(session, tasks, limit=3)
    assert {task: [entry.job_id for entry in entries] for task, entries in found.items()} == {
        "recompute_all_discounts": ["run-4", "run-5", "run-6"],
        "cleanup_expired_discounts": ["run-8"],
        "update_price_history": [],
    }
    by_hand = found["recompute_all_discounts"][1]
    assert (by_hand.trigger, by_hand.due_at) == (RunTrigger.SCHEDULE_BY_HAND, NOON)
    assert len(statements) == 1


async def test_a_task_last_succeeded_when_its_latest_such_run_ended_whatever_caused_it(
    session: AsyncSession,
) -> None:
    later = started(started_at=NOON + _MINUTE, trigger=RunTrigger.API)
    await record_runs(
        session,
        [
            ended(started()),
            ended(later, finished_at=NOON + 3 * _MINUTE),
            ended(started(started_at=NOON + 5 * _MINUTE), RunStatus.FAILED),
            started(started_at=NOON + 6 * _MINUTE),
            ended(started(task="cleanup_expired_discounts"), RunStatus.FAILED),
        ],
    )
    tasks = ["recompute_all_discounts", "cleanup_expired_discounts", "update_price_history"]
    async with statements_of(session) as statements:
        found = await list_last_successes(session, tasks)
    assert found == {"recompute_all_discounts": NOON + 3 * _MINUTE}
    assert len(statements) == 1
