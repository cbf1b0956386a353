"""Takes the snapshot of workers, queues and schedules for Prometheus."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from flexiprice.queue.admin.broker_info import BrokerRisk, find_broker_info
from flexiprice.queue.admin.dead_letters import count_dead_letters
from flexiprice.queue.admin.queues import QueueState, list_queues
from flexiprice.queue.admin.schedules import list_schedules
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import Schedule
from flexiprice.queue.schedule_state import ScheduleState
from flexiprice.queue.worker.heartbeat import LiveWorker
from flexiprice.snapshots import QueueSnapshot, WorkersSnapshot


async def take_snapshot(
    tasks: TaskQueue, *, now: datetime | None = None, schedules: Sequence[Schedule] | None = None
) -> WorkersSnapshot:
    """Reads workers, queues, schedules and dead letters from Redis.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    workers = await tasks.live_workers()
    queues = await list_queues(tasks)
    states = await list_schedules(tasks, now=now, workers=workers, schedules=schedules)
    dead_letters = await count_dead_letters(tasks.redis)
    broker = await find_broker_info(tasks.redis)
    return WorkersSnapshot(
        workers_alive=len(workers),
        queues={state.queue.value: _queue(state, workers) for state in queues},
        clock_drift=timedelta(
            seconds=max((abs(worker.clock_drift_seconds) for worker in workers), default=0.0)
        ),
        schedule_disagreements=sum(state.disagreement is not None for state in states),
        schedule_lag={state.name: _lag(state) for state in states},
        dead_letters={reason.value: count for reason, count in dead_letters.by_reason.items()},
        redis_risks={risk.value: risk in broker.risks for risk in BrokerRisk} if broker else {},
    )


def _queue(state: QueueState, workers: Sequence[LiveWorker]) -> QueueSnapshot:
    return QueueSnapshot(
        waiting=state.waiting,
        deferred=state.deferred,
        running=state.running,
        workers=sum(worker.takes_jobs and state.queue in worker.queues for worker in workers),
        oldest_waiting=state.oldest_waiting or timedelta(0),
    )


def _lag(state: ScheduleState) -> timedelta:
    untaken_since = state.untaken_since
    return timedelta(0) if untaken_since is None else state.read_at - untaken_since
