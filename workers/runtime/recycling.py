"""Recycles a worker process after a number of jobs, so that a fresh one replaces it."""

from collections.abc import Callable

from flexiprice.queue.worker.supervisor_protocol import has_supervisor
from flexiprice.settings import Settings
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)


class Recycling:
    """Counts the jobs of a process and triggers its end once.

    Recycling bounds memory leaks and other state that a process accumulates.
    """

    def __init__(self, max_tasks: int, *, on_due: Callable[[], None]) -> None:
        """Starts at zero.

        Args:
            max_tasks: jobs that the process may run; 0 for no limit.
            on_due: called once; it must drain the worker and end the process with exit code 0.
        """
        self._max_tasks = max_tasks
        self._on_due = on_due
        self._jobs = 0

    @property
    def due(self) -> bool:
        """Whether the process has reached its number of jobs."""
        return 0 < self._max_tasks <= self._jobs

    def count(self) -> None:
        """Counts a job that has ended, whatever its outcome."""
        self._jobs += 1
        if self._jobs == self._max_tasks:
            self._on_due()


def warn_without_supervisor(settings: Settings) -> None:
    """Logs that this process is not recycled although the settings ask for it."""
    is_wanted = "worker_max_tasks" in settings.model_fields_set and settings.worker_max_tasks
    if is_wanted and not has_supervisor():
        _LOGGER.warning(
            "worker_not_recycled",
            worker_max_tasks=settings.worker_max_tasks,
            advice="only `flexiprice worker` starts another process; start the worker with it",
        )
