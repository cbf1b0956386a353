"""The tasks that may be enqueued by name."""

from collections.abc import Sequence
from typing import Final

from flexiprice.errors import InvalidInput
from flexiprice.jobs.declarations import (
    CLEANUP_EXPIRED_DISCOUNTS,
    RECOMPUTE_ALL_DISCOUNTS,
    RECOMPUTE_BATCHES,
    UPDATE_PRICE_HISTORY,
    TaskArguments,
    TaskDeclaration,
)

TASKS: Final[Sequence[TaskDeclaration[TaskArguments]]] = (
    RECOMPUTE_ALL_DISCOUNTS,
    RECOMPUTE_BATCHES,
    CLEANUP_EXPIRED_DISCOUNTS,
    UPDATE_PRICE_HISTORY,
)


def get_task(name: str) -> TaskDeclaration[TaskArguments]:
    """A task by its name.

    Raises:
        InvalidInput: there is no such task.
    """
    for task in TASKS:
        if task.name == name:
            return task
    known = ", ".join(task.name for task in TASKS)
    raise InvalidInput(f"there is no task {name!r}; there are {known}", field="task")
