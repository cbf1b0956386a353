"""Ending a worker that has done its share, so that a fresh process takes its place."""

from collections.abc import Callable


class Recycling:
    """Counts the jobs of a process, and says once when they are enough.

    Memory that leaks a little with every job, and whatever else a process gathers, ends with it.
    """

    def __init__(self, max_tasks: int, *, on_due: Callable[[], None]) -> None:
        """Begins to count.

        Args:
            max_tasks: jobs that the process may run; 0 for any number.
            on_due: is told once; stops taking jobs, lets those that run end, and ends the process with
                exit code 0.
        """
        self._max_tasks = max_tasks
        self._on_due = on_due
        self._jobs = 0

    @property
    def due(self) -> bool:
        """The process has done its share."""
        return 0 < self._max_tasks <= self._jobs

    def count(self) -> None:
        """Notes that a job has ended, whichever way."""
        self._jobs += 1
        if self._jobs == self._max_tasks:
            self._on_due()
