"""A worker of our own tasks and the toys: `arq tests.browser.shop_worker.WorkerSettings`."""

from datetime import UTC

from flexiprice.settings import load_settings
from tests.support import toy_tasks
from tests.support.worker_settings import worker_settings
from workers import tasks
from workers.runtime.jobs.task import tasks_in
from workers.runtime.process import WorkerProcess

SETTINGS = load_settings(env_files=())
PROCESS = WorkerProcess(SETTINGS, (*tasks_in(tasks), *tasks_in(toy_tasks)))
WorkerSettings = worker_settings(SETTINGS, PROCESS, timezone=UTC)
