"""The worker that faults are injected into: `arq tests.chaos.fault_worker.WorkerSettings`."""

import os
from pathlib import Path

from flexiprice.settings import load_settings
from tests.chaos import fault_tasks
from tests.chaos.stepped_clock import CLOCK_VARIABLE, SteppedClock
from tests.support.worker_settings import worker_settings
from workers.runtime.jobs.task import tasks_in
from workers.runtime.process import WorkerProcess

# Of an older version: it does not know this task.
WITHOUT_VARIABLE = "FLEXIPRICE_FAULTS_WITHOUT"
# It ticks, by the clock of Redis.
TICKS_VARIABLE = "FLEXIPRICE_FAULTS_TICKS"

SETTINGS = load_settings(env_files=())
CLOCK = SteppedClock(Path(os.environ[CLOCK_VARIABLE])) if CLOCK_VARIABLE in os.environ else None
TASKS = [task for task in tasks_in(fault_tasks) if task.declaration.name != os.environ.get(WITHOUT_VARIABLE)]
PROCESS = WorkerProcess(
    SETTINGS,
    TASKS,
    clock=CLOCK,
    schedules=(fault_tasks.TICKING,) if CLOCK or TICKS_VARIABLE in os.environ else (),
)
WorkerSettings = worker_settings(SETTINGS, PROCESS, poll_delay=0.02 if CLOCK else 1.0)
