"""The snapshot of schedules, queues and Redis for Prometheus."""

from datetime import UTC, datetime, timedelta

from arq.connections import ArqRedis
from arq.utils import to_unix_ms

from flexiprice.queue.admin.metrics_snapshot import take_snapshot
from flexiprice.queue.admin.schedules import pause_schedule
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.worker.heartbeat import LiveWorker, WorkerStatus, send_heartbeat
from flexiprice.settings import Queue

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


async def test_a_queue_has_the_workers_that_live_consume_it_and_do_not_drain(
    queue: TaskQueue, redis: ArqRedis
) -> None:
    def worker(name: str, *queues: Queue, status: WorkerStatus = WorkerStatus.RUNNING) -> LiveWorker:
        return LiveWorker(
            worker_id=name,
            host="till",
            pid=77,
            queues=queues,
            tasks=(),
            version="0",
            concurrency=1,
            started_at=NOON,
            seen_at=NOON,
            status=status,
        )

    await send_heartbeat(redis, worker("both", Queue.DISCOUNTS, Queue.ANALYTICS), joining=True)
    await send_heartbeat(redis, worker("one", Queue.DISCOUNTS), joining=True)
    leaving = worker("leaving", Queue.MAINTENANCE, status=WorkerStatus.DRAINING)
    await send_heartbeat(redis, leaving, joining=True)
    snapshot = await take_snapshot(queue)
    assert snapshot.workers_alive == 3
    workers = {name: of_one.workers for name, of_one in snapshot.queues.items()}
    assert workers == {"discounts": 2, "analytics": 1, "maintenance": 0}


async def test_metrics_snapshot_has_the_risks_of_the_broker(queue: TaskQueue, redis: ArqRedis) -> None:
    before = (await redis.config_get("maxmemory-policy"))["maxmemory-policy"]
    try:
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        assert (await take_snapshot(queue)).redis_risks["evicts"]
        await redis.config_set("maxmemory-policy", "noeviction")
        assert not (await take_snapshot(queue)).redis_risks["evicts"]
    finally:
        await redis.config_set("maxmemory-policy", before)
