"""The latest runs of each of several tasks, read along the index by task."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, SQLColumnExpression, Text, func, literal, select, true

from flexiprice.db.operations_tables import TaskRun


def select_latest_runs(
    tasks: Collection[str],
    columns: Collection[SQLColumnExpression[Any]],
    *conditions: ColumnElement[bool],
    limit: int,
) -> Select[Any]:
    """Selects each task's name with columns of its latest runs that meet conditions, at most so many of each.

    With `=` for the task, the planner walks the index by `started_at` through all runs in search of a task
    that seldom runs: half a second among a million. A range of one name, and an order that begins with the
    task, leave it only the index by task, which costs the same whatever the other tasks do.
    """
    names = (
        func.unnest(literal(sorted(set(tasks)), ARRAY(Text))).table_valued("name").render_derived("wanted")
    )
    latest = (
        select(*columns)
        .where(TaskRun.task >= names.c.name, TaskRun.task <= names.c.name, *conditions)
        .order_by(TaskRun.task.desc(), TaskRun.started_at.desc(), TaskRun.run_id.desc())
        .limit(limit)
        .lateral("latest")
    )
    return select(names.c.name, latest).select_from(names.join(latest, true()))
