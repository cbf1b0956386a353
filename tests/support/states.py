"""Plain workers, queues, schedules and failing tasks; a test changes what matters to it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flexiprice.domain.run import RunStatus
from flexiprice.queue.admin.queues import QueueState
from flexiprice.queue.schedule_state import ScheduleLine, ScheduleState
from flexiprice.queue.worker.heartbeat import LiveWorker
from flexiprice.runs.task_failures import FailingTask
from flexiprice.settings import Queue

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
NOON = NOW.replace(second=0)
MINUTE = timedelta(minutes=1)


def worker(**differences: Any) -> LiveWorker:
    plain = LiveWorker(
        worker_id="till-1-77-abcdef",
        host="till-1",
        pid=77,
        queues=tuple(Queue),
        tasks=(),
        version="1.0",
        concurrency=10,
        started_at=NOON,
        seen_at=NOW,
    )
    return replace(plain, **differences)


def queue(name: Queue = Queue.DISCOUNTS, **differences: Any) -> QueueState:
    plain = QueueState(
        queue=name,
        waiting=0,
        deferred=0,
        running=0,
        oldest_waiting=None,
        paused_at=None,
        paused_by=None,
        running_job_ids=(),
    )
    return replace(plain, **differences)


def schedule(**differences: Any) -> ScheduleState:
    plain = ScheduleState(
        name="recompute",
        task="recompute_all_discounts",
        queue=Queue.DISCOUNTS,
        crontab="0 * * * *",
        time_zone="UTC",
        lines=(ScheduleLine(crontab="0 * * * *", time_zone="UTC", worker_ids=("one",)),),
        next_tick_at=NOON + 60 * MINUTE,
        last_tick_at=NOON,
        paused_at=None,
        paused_by=None,
        read_at=NOW,
    )
    return replace(plain, **differences)


def failing(**differences: Any) -> FailingTask:
    plain = FailingTask(
        task="recompute_batches",
        scheduled=False,
        failed=3,
        runs=10,
        in_a_row=3,
        since=NOON,
        error="there is no such batch",
        statuses=(RunStatus.FAILED,),
    )
    return replace(plain, **differences)
