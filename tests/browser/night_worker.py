"""A worker with a schedule of its own, of which the monitor's process knows nothing."""

from datetime import UTC

from flexiprice.queue.declarations import Schedule
from flexiprice.settings import load_settings
from tests.support import toy_tasks
from tests.support.worker_settings import worker_settings
from workers import tasks
from workers.runtime.jobs.task import tasks_in
from workers.runtime.process import WorkerProcess

SETTINGS = load_settings(env_files=())
COUNT_STOCK = Schedule(name="count_stock", task=toy_tasks.SLEEP_ELSEWHERE, setting="cleanup_schedule")
PROCESS = WorkerProcess(SETTINGS, (*tasks_in(tasks), *tasks_in(toy_tasks)), schedules=(COUNT_STOCK,))
WorkerSettings = worker_settings(SETTINGS, PROCESS, timezone=UTC)
