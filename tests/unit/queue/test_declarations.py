from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest

from flexiprice.errors import InvalidInput
from flexiprice.queue.declarations import (
    CLEANUP_EXPIRED_DISCOUNTS,
    MAX_BATCHES,
    RECOMPUTE_ALL_DISCOUNTS,
    RECOMPUTE_BATCHES,
    RECOMPUTE_SHARD,
    SCHEDULES,
    UPDATE_PRICE_HISTORY,
    TaskArguments,
    TaskDeclaration,
)
from flexiprice.settings import Queue, load_settings


def test_the_threshold_is_thirty_days_unless_it_is_given():
    assert RECOMPUTE_ALL_DISCOUNTS.parse(None).days_threshold == 30
    assert RECOMPUTE_ALL_DISCOUNTS.parse({"days_threshold": 365}).days_threshold == 365


@pytest.mark.parametrize(
    ("task", "arguments", "field"),
    [
        (RECOMPUTE_ALL_DISCOUNTS, {"days_threshold": 0}, "days_threshold"),
        (RECOMPUTE_ALL_DISCOUNTS, {"days_threshold": 366}, "days_threshold"),
        (RECOMPUTE_ALL_DISCOUNTS, {"days_threshold": "soon"}, "days_threshold"),
        (RECOMPUTE_ALL_DISCOUNTS, {"days": 3}, "days"),
        (RECOMPUTE_BATCHES, {}, "batch_ids"),
        (RECOMPUTE_BATCHES, {"batch_ids": []}, "batch_ids"),
        (RECOMPUTE_BATCHES, {"batch_ids": [1, 2**63]}, "batch_ids.1"),
        (RECOMPUTE_BATCHES, {"batch_ids": list(range(1, MAX_BATCHES + 2))}, "batch_ids"),
        (CLEANUP_EXPIRED_DISCOUNTS, {"force": True}, "force"),
        (UPDATE_PRICE_HISTORY, {"slot_at": datetime(2024, 1, 1)}, "slot_at"),  # noqa: DTZ001
        (RECOMPUTE_SHARD, {"number": 5, "count": 4}, "count"),
        (RECOMPUTE_SHARD, {"number": 1, "count": 17}, "count"),
    ],
)
def test_a_bad_argument_is_refused_by_name(
    task: TaskDeclaration[TaskArguments], arguments: dict[str, object], field: str
):
    with pytest.raises(InvalidInput, match=field.partition(".")[0]) as caught:
        task.parse(arguments)

    assert caught.value.details["field"] == field


def test_a_slot_is_meant_in_utc():
    noon_in_berlin = datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=1)))

    assert UPDATE_PRICE_HISTORY.parse({"slot_at": noon_in_berlin}).slot_at == datetime(
        2024, 1, 1, 11, tzinfo=UTC
    )


def test_three_tasks_are_scheduled_each_on_a_queue_of_its_own():
    settings = load_settings(env_files=())

    assert {
        schedule.task.name: (schedule.task.queue, schedule.crontab(settings)) for schedule in SCHEDULES
    } == {
        "recompute_all_discounts": (Queue.DISCOUNTS, "0 * * * *"),
        "cleanup_expired_discounts": (Queue.MAINTENANCE, "0 2 * * *"),
        "update_price_history": (Queue.ANALYTICS, "0 */6 * * *"),
    }
    assert max(Counter(schedule.name for schedule in SCHEDULES).values()) == 1


def test_scheduled_recompute_takes_the_settings_threshold_and_snapshot_its_tick():
    settings = load_settings(env_files=(), days_threshold=12)
    tick_at = datetime(2024, 1, 1, 6, tzinfo=UTC)
    arguments = {
        schedule.name: schedule.task.parse(schedule.arguments(settings, tick_at)).model_dump()
        for schedule in SCHEDULES
    }

    assert arguments == {
        "recompute_all_discounts": {"days_threshold": 12},
        "cleanup_expired_discounts": {},
        "update_price_history": {"slot_at": tick_at},
    }


def test_a_task_has_the_time_limit_of_the_settings_unless_it_declares_its_own():
    settings = load_settings(env_files=(), time_limit=60)

    assert RECOMPUTE_ALL_DISCOUNTS.time_limit_in(settings) == timedelta(seconds=60)


def test_recompute_retries_outlast_a_database_outage_and_never_wait_long():
    retry = RECOMPUTE_ALL_DISCOUNTS.retry
    shortest = [retry.delay_after(attempt, chance=0.999) for attempt in range(1, retry.max_tries)]

    assert sum(shortest, timedelta()) > timedelta(seconds=30)
    assert retry.cap <= timedelta(seconds=10)
