"""The tasks as arq's own worker takes them: it is told of them, and never runs one."""

from typing import Any

from flexiprice.jobs.arq import Function
from flexiprice.jobs.declarations import TaskArguments
from flexiprice.settings import Settings
from workers.runtime.task import Task


def arq_function(task: Task[TaskArguments], settings: Settings) -> Function:
    """The task as arq takes it."""
    declaration = task.declaration
    return Function(
        name=declaration.name,
        coroutine=run_elsewhere,
        timeout_s=declaration.time_limit_in(settings).total_seconds(),
        keep_result_s=settings.result_retention.total_seconds(),
        keep_result_forever=False,
        max_tries=declaration.retry.max_tries,
    )


async def run_elsewhere(ctx: dict[Any, Any], *args: object, **kwargs: object) -> object:  # noqa: ARG001 -- as arq calls it
    """Stands for every task.

    Raises:
        RuntimeError: always: jobs are run by the consumers beside arq's worker, which only ticks.
    """
    raise RuntimeError("jobs are run by consumers, never by the worker that ticks")
