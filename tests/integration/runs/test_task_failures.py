"""Tasks that fail of late by the run history, found with bounded reads."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.cli.doctor.findings import Health
from flexiprice.cli.doctor.run_checks import check_runs
from flexiprice.domain.run import RunStatus
from flexiprice.runs.recent import list_schedule_runs
from flexiprice.runs.recording import RunRecord, record_runs
from flexiprice.runs.task_failures import list_failing_tasks
from flexiprice.settings import Settings, load_settings
from tests.support.run_records import NOON, SECOND, ended, started
from tests.support.statements import blocks_read, statements_of

_OTHERS = 20_000


def runs(task: str, *states: RunStatus, **differences: object) -> Iterator[RunRecord]:
    """Runs of a task a second apart, the oldest first."""
    for number, state in enumerate(states):
        yield ended(started(task=task, started_at=NOON + number * SECOND), state, **differences)


async def test_a_task_that_fails_among_many_that_do_not_is_found_by_one_query(session: AsyncSession) -> None:
    succeeded, failed = RunStatus.SUCCEEDED, RunStatus.FAILED
    await record_runs(
        session,
        [
            *runs("recompute_shard", *[succeeded] * 500, failed, failed),
            *runs("recompute_batches", succeeded, failed, failed, failed, error_message="no such batch"),
            *runs("cleanup_expired_discounts", succeeded, failed, error_code="timeout"),
            # A task without failures.
            *runs("count_stock", failed, failed, failed),
        ],
    )
    async with statements_of(session) as statements:
        batches, cleanup = sorted(
            await list_failing_tasks(
                session,
                ["recompute_shard", "recompute_batches", "never_run"],
                scheduled=["cleanup_expired_discounts"],
            ),
            key=lambda task: task.scheduled,
        )
    assert len(statements) == 1
    assert (str(batches), batches.error, batches.since) == (
        "recompute_batches failed the last 3 times it ran",
        "no such batch",
        NOON + SECOND,
    )
    assert (str(cleanup), cleanup.error) == ("cleanup_expired_discounts failed when it last ran", "timeout")


async def test_revoked_released_and_retried_runs_do_not_count_as_task_failures(
    session: AsyncSession,
) -> None:
    others = [RunStatus.REVOKED, RunStatus.RELEASED, RunStatus.RETRYING] * 5
    failed = [RunStatus.FAILED, RunStatus.LOST, RunStatus.FAILED]
    await record_runs(session, [*runs("recompute_batches", *failed, *others), *runs("count_stock", *others)])
    (found,) = await list_failing_tasks(session, ["recompute_batches", "count_stock"], scheduled=[])
    assert (found.task, found.in_a_row, found.runs) == ("recompute_batches", 3, 3)
    assert found.statuses == (RunStatus.FAILED, RunStatus.LOST)


async def test_a_long_error_is_told_in_short(session: AsyncSession) -> None:
    await record_runs(session, runs("count_stock", RunStatus.FAILED, error_message="x" * 2_000))
    (found,) = await list_failing_tasks(session, [], scheduled=["count_stock"])
    assert found.error == "x" * 200


@pytest.mark.usefixtures("database_url")
async def test_looking_for_a_task_that_seldom_runs_passes_over_the_runs_of_all_others(
    session: AsyncSession,
) -> None:
    await session.execute(
        text(
            "INSERT INTO task_runs (run_id, task, job_id, worker_id, attempt, status, trigger, started_at,"
            " finished_at, error_message) SELECT gen_random_uuid(), 'task-' || n % 8, n, 'one', 1,"
            " 'succeeded', 'schedule', now() + n * interval '1 s', now() + n * interval '1 s',"
            " repeat('x', 500) FROM generate_series(1, :others) AS n"
        ),
        {"others": _OTHERS},
    )
    await session.execute(text("ANALYZE task_runs"))
    tasks = ["recompute_batches", "task-3"]
    async with statements_of(session) as statements:
        assert not await list_failing_tasks(session, tasks, scheduled=[])
        assert not (await list_schedule_runs(session, tasks))["recompute_batches"]
    for statement, parameters in statements:
        assert await blocks_read(session, statement, parameters) < 100


async def test_doctor_reports_failing_tasks(settings: Settings, engine: AsyncEngine) -> None:
    (well,) = await check_runs(settings)
    assert (well.health, well.detail) == (Health.OK, "no task fails")
    async with AsyncSession(engine) as session, session.begin():
        failures = [RunStatus.FAILED] * 3
        await record_runs(session, runs("update_price_history", *failures, error_message="the disk is full"))
        await record_runs(session, runs("recompute_batches", *failures))
    found = {finding.detail.split()[0]: finding for finding in await check_runs(settings)}
    assert set(found) == {"update_price_history", "recompute_batches"}
    assert found["update_price_history"].health is Health.FAILED
    assert "failed the last 3 times it ran, since 2026-03-01 12:00" in found["update_price_history"].detail
    assert found["update_price_history"].detail.endswith(": the disk is full")
    assert found["recompute_batches"].health is Health.WARNING


async def test_doctor_leaves_it_to_others_to_say_that_a_server_is_away(settings: Settings) -> None:
    away = load_settings(
        env_files=(),
        database_url="postgresql://nobody@127.0.0.1:9/none",
        redis_url=settings.require_redis_url(),
    )
    assert await check_runs(away) == []
