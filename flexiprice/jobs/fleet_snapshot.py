"""What Redis knows of workers, queues and schedules at one moment, for Prometheus."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from flexiprice.jobs.client import TaskQueue
from flexiprice.jobs.dead_letters import count_dead_letters
from flexiprice.jobs.declarations import SCHEDULES, Schedule
from flexiprice.jobs.queues import QueueState, list_queues
from flexiprice.jobs.schedule import next_tick
from flexiprice.jobs.schedules import ScheduleState, list_schedules
from flexiprice.metrics import FleetSnapshot, QueueSnapshot


async def take_snapshot(
    tasks: TaskQueue, *, now: datetime, schedules: Sequence[Schedule] = SCHEDULES
) -> FleetSnapshot:
    """Asks Redis how things stand.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    workers = await tasks.live_workers()
    queues = await list_queues(tasks)
    states = await list_schedules(tasks, now=now, schedules=schedules)
    dead_letters = await count_dead_letters(tasks.redis)
    return FleetSnapshot(
        workers_alive=len(workers),
        queues={state.queue.value: _queue(state) for state in queues},
        schedule_lag={state.name: _lag(state, now) for state in states},
        dead_letters={reason.value: count for reason, count in dead_letters.by_reason.items()},
    )


def _queue(state: QueueState) -> QueueSnapshot:
    return QueueSnapshot(
        waiting=state.waiting,
        deferred=state.deferred,
        running=state.running,
        oldest_waiting=state.oldest_waiting or timedelta(0),
    )


def _lag(state: ScheduleState, now: datetime) -> timedelta:
    if state.paused_at is not None or state.last_tick_at is None:
        return timedelta(0)
    first_untaken = next_tick(state.crontab, state.time_zone, state.last_tick_at)
    return max(timedelta(0), now - first_untaken)
