"""Runs, completion records of jobs, and workers with their fence."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from flexiprice.db.migrations.initial.columns import INSTANT, check, drop

_STATUS = sa.Enum(
    "running", "succeeded", "failed", "retrying", "revoked", "lost", "released", name="run_status"
)
_TRIGGER = sa.Enum(
    "schedule", "late_schedule", "schedule_by_hand", "api", "cli", "monitor", "retry", "task", "program",
    name="run_trigger",
)  # fmt: skip


def create() -> None:
    _create_runs()
    _create_fence()


def remove() -> None:
    drop(("workers", "job_receipts", "task_runs"), types=(_STATUS, _TRIGGER))


def _create_runs() -> None:
    op.create_table(
        "task_runs",
        sa.Column("run_id", sa.Uuid, nullable=False),
        sa.Column("task", sa.String, nullable=False),
        sa.Column("job_id", sa.String, nullable=False),
        sa.Column("queue", sa.String),
        sa.Column("worker_id", sa.String, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("status", _STATUS, nullable=False),
        sa.Column("trigger", _TRIGGER),
        sa.Column("parent_job_id", sa.String),
        sa.Column("request_id", sa.String),
        sa.Column("arguments", JSONB),
        sa.Column("enqueued_at", INSTANT),
        sa.Column("due_at", INSTANT),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.Column("result", JSONB),
        sa.Column("error_code", sa.String),
        sa.Column("error_message", sa.String),
        sa.Column("traceback", sa.String),
        sa.PrimaryKeyConstraint("run_id", name="pk_task_runs"),
        check("task_runs", "finished_at", "(status = 'running') = (finished_at IS NULL)"),
    )
    op.create_index("ix_task_runs_started_at_run_id", "task_runs", ["started_at", "run_id"])
    op.create_index("ix_task_runs_task_started_at_run_id", "task_runs", ["task", "started_at", "run_id"])
    op.create_index("ix_task_runs_job_id", "task_runs", ["job_id"])
    op.create_index(
        "ix_task_runs_not_succeeded",
        "task_runs",
        ["status", "started_at", "run_id"],
        postgresql_where=sa.text("status <> 'succeeded'"),
    )


def _create_fence() -> None:
    op.create_table(
        "job_receipts",
        sa.Column("job_id", sa.String, nullable=False),
        sa.Column("enqueued_at", INSTANT, nullable=False),
        sa.Column("result", sa.LargeBinary, nullable=False),
        sa.Column("written_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "enqueued_at", name="pk_job_receipts"),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("host", sa.String),
        sa.Column("pid", sa.Integer),
        sa.Column("started_at", INSTANT),
        sa.Column("lost_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
