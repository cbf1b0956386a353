"""SQL expressions for the queue time and the run time of runs."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Interval, SQLColumnExpression, case, func, literal, type_coerce

from flexiprice.db.operations_tables import TaskRun
from flexiprice.domain.run import RunStatus

# A job that ended before it started has attempt 0: it has neither a queue time nor a run time.
_STARTED: Final = TaskRun.attempt > 0
RUN_TIME: Final = case((_STARTED, TaskRun.finished_at - TaskRun.started_at))
"""Time from start to end; NULL for a run that has not ended or never started."""
QUEUE_TIME: Final = case((_STARTED, TaskRun.started_at - func.coalesce(TaskRun.due_at, TaskRun.enqueued_at)))
"""Time from when the job was due to its start; NULL if unknown, or if it never started."""
FINISHED_STATUSES: Final = (RunStatus.SUCCEEDED, RunStatus.FAILED)
"""Final statuses whose run time is representative of the task."""


def not_negative(duration: SQLColumnExpression[Any]) -> ColumnElement[timedelta]:
    """Clamps a duration to zero; NULL becomes zero. Clocks that differ make some durations negative."""
    return type_coerce(func.greatest(duration, literal(timedelta(0), Interval)), Interval)
