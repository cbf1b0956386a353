"""Lookup of declared tasks by name."""

from collections.abc import Iterable, Sequence
from typing import Final, cast

from flexiprice.errors import InvalidInput
from flexiprice.queue import declarations
from flexiprice.queue.declarations import TaskArguments, TaskDeclaration
from flexiprice.queue.worker.heartbeat import LiveWorker

TASKS: Final[Sequence[TaskDeclaration[TaskArguments]]] = tuple(
    cast("TaskDeclaration[TaskArguments]", declared)
    for declared in vars(declarations).values()
    if isinstance(declared, TaskDeclaration)
)


def get_task(name: str) -> TaskDeclaration[TaskArguments]:
    """Returns a task by its name.

    Raises:
        InvalidInput: there is no such task.
    """
    for task in TASKS:
        if task.name == name:
            return task
    known = ", ".join(task.name for task in TASKS)
    raise InvalidInput(f"there is no task {name!r}; there are {known}", field="task")


def task_names(workers: Iterable[LiveWorker] = ()) -> set[str]:
    """Returns the names of the tasks of this program and of the given workers."""
    return {task.name for task in TASKS}.union(*(worker.tasks for worker in workers))
