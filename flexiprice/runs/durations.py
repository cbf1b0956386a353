"""How long runs waited and took, as expressions on the table of runs."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Interval, SQLColumnExpression, case, func, literal, type_coerce

from flexiprice.db.operations_tables import TaskRun
from flexiprice.domain.run import RunStatus

# What ended without being started neither waited for a start nor ran.
_STARTED: Final = TaskRun.attempt > 0
RAN: Final = case((_STARTED, TaskRun.finished_at - TaskRun.started_at))
"""From start to end; NULL while it runs, and where it never did."""
WAITED: Final = case((_STARTED, TaskRun.started_at - func.coalesce(TaskRun.due_at, TaskRun.enqueued_at)))
"""From when it was to start until it did; NULL where that is not known, and where it never did."""
TELLING: Final = (RunStatus.SUCCEEDED, RunStatus.FAILED)
"""What else ends a run says nothing of how long the task takes."""


def not_negative(duration: SQLColumnExpression[Any]) -> ColumnElement[timedelta]:
    """A duration, and nothing where it is NULL, or below zero because two machines' clocks differ."""
    return type_coerce(func.greatest(duration, literal(timedelta(0), Interval)), Interval)
