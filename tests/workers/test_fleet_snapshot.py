"""How late a schedule is, as Prometheus is told."""

from datetime import UTC, datetime, timedelta

from arq.connections import ArqRedis
from arq.utils import to_unix_ms

from flexiprice.jobs import keys
from flexiprice.jobs.client import TaskQueue
from flexiprice.jobs.fleet_snapshot import take_snapshot
from flexiprice.jobs.schedules import pause_schedule

# The recompute ticks every full hour.
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOURLY = "recompute_all_discounts"


async def lag(queue: TaskQueue, now: datetime) -> timedelta:
    return (await take_snapshot(queue, now=now)).schedule_lag[HOURLY]


async def test_a_schedule_is_late_from_its_first_tick_that_nobody_took(
    queue: TaskQueue, redis: ArqRedis
) -> None:
    assert await lag(queue, NOON) == timedelta(0)
    await redis.hset(keys.schedule_key(HOURLY), "last_tick", str(to_unix_ms(NOON)))
    assert await lag(queue, NOON + timedelta(minutes=59)) == timedelta(0)
    assert await lag(queue, NOON + timedelta(minutes=61)) == timedelta(minutes=1)
    assert await lag(queue, NOON + timedelta(hours=5)) == timedelta(hours=4)


async def test_a_paused_schedule_is_not_late(queue: TaskQueue, redis: ArqRedis) -> None:
    await redis.hset(keys.schedule_key(HOURLY), "last_tick", str(to_unix_ms(NOON)))
    await pause_schedule(queue, HOURLY, by="a person")
    assert await lag(queue, NOON + timedelta(hours=5)) == timedelta(0)
