"""Checks of the run history."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from flexiprice.cli.console import format_time
from flexiprice.cli.doctor.findings import Finding, Health
from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.db.migrate import is_current
from flexiprice.errors import FlexiPriceError
from flexiprice.queue.admin.schedules import list_schedules
from flexiprice.queue.task_definitions import task_names
from flexiprice.resources import open_resources
from flexiprice.runs.task_failures import FailingTask, list_failing_tasks
from flexiprice.settings import Settings


async def check_runs(settings: Settings) -> list[Finding]:
    """Finds failing tasks among those that this version or a live worker declares."""
    try:
        with database_errors():
            async with (
                open_resources(settings, program="flexiprice-doctor") as resources,
                resources.sessions.begin() as session,
            ):
                if not await is_current(session):
                    return []
                workers = await resources.tasks.live_workers()
                schedules = await list_schedules(resources.tasks, workers=workers)
                failing = await list_failing_tasks(
                    session, task_names(workers), scheduled={schedule.task for schedule in schedules}
                )
                return list(check_failing(failing, now=await database_now(session)))
    except FlexiPriceError:
        # Another check reports the unavailable server.
        return []


def check_failing(failing: Sequence[FailingTask], *, now: datetime) -> Iterator[Finding]:
    """Returns a finding for each failing task."""
    for task in failing:
        error = f": {task.error}" if task.error else ""
        statuses = " ".join(f"--status {state.value}" for state in task.statuses)
        days = (now - task.since).days + 1
        yield Finding(
            Health.FAILED if task.is_broken else Health.WARNING,
            "runs",
            f"{task}, since {format_time(task.since)}{error}",
            f"flexiprice runs --task {task.task} {statuses} --since {days}d",
        )
    if not failing:
        yield Finding(Health.OK, "runs", "no task fails")
