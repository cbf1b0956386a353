"""What operations need: runs, receipts of jobs, the workers' fence, the audit.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INSTANT = sa.TIMESTAMP(timezone=True)
_STATE = sa.Enum(
    "running", "succeeded", "failed", "retrying", "revoked", "lost", "handed_back", name="run_state"
)
_TRIGGER = sa.Enum(
    "schedule", "late_schedule", "schedule_by_hand", "api", "cli", "monitor", "retry", "task", "program",
    name="run_trigger",
)  # fmt: skip
_SOURCE = sa.Enum("api", "cli", "monitor", name="audit_source")


def upgrade() -> None:
    _create_runs()
    _create_fence()
    _create_audit()


def downgrade() -> None:
    for table in ("audit_entries", "workers", "job_receipts", "task_runs"):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_audit_edit()")
    for enum in (_STATE, _TRIGGER, _SOURCE):
        op.execute(f"DROP TYPE {enum.name}")


def _create_runs() -> None:
    op.create_table(
        "task_runs",
        sa.Column("run_id", sa.Uuid, nullable=False),
        sa.Column("task", sa.String, nullable=False),
        sa.Column("job_id", sa.String, nullable=False),
        sa.Column("queue", sa.String),
        sa.Column("worker_id", sa.String, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("state", _STATE, nullable=False),
        sa.Column("trigger", _TRIGGER),
        sa.Column("parent_job_id", sa.String),
        sa.Column("request_id", sa.String),
        sa.Column("arguments", JSONB),
        sa.Column("enqueued_at", _INSTANT),
        sa.Column("due_at", _INSTANT),
        sa.Column("started_at", _INSTANT, nullable=False),
        sa.Column("finished_at", _INSTANT),
        sa.Column("result", JSONB),
        sa.Column("error_code", sa.String),
        sa.Column("error_message", sa.String),
        sa.Column("traceback", sa.String),
        sa.PrimaryKeyConstraint("run_id", name="pk_task_runs"),
        _check("task_runs", "finished_at", "(state = 'running') = (finished_at IS NULL)"),
    )
    op.create_index("ix_task_runs_started_at_run_id", "task_runs", ["started_at", "run_id"])
    op.create_index("ix_task_runs_task_started_at_run_id", "task_runs", ["task", "started_at", "run_id"])
    op.create_index("ix_task_runs_job_id", "task_runs", ["job_id"])
    op.create_index(
        "ix_task_runs_not_succeeded",
        "task_runs",
        ["state", "started_at", "run_id"],
        postgresql_where=sa.text("state <> 'succeeded'"),
    )


def _create_fence() -> None:
    op.create_table(
        "job_receipts",
        sa.Column("job_id", sa.String, nullable=False),
        sa.Column("enqueued_at", _INSTANT, nullable=False),
        sa.Column("result", sa.LargeBinary, nullable=False),
        sa.Column("written_at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "enqueued_at", name="pk_job_receipts"),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("host", sa.String),
        sa.Column("pid", sa.Integer),
        sa.Column("started_at", _INSTANT),
        sa.Column("lost_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )


def _create_audit() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("source", _SOURCE, nullable=False),
        sa.Column("address", sa.String),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("details", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
        _check("audit_entries", "actor", "length(actor) BETWEEN 1 AND 200"),
        _check("audit_entries", "action", "length(action) BETWEEN 1 AND 100"),
        _check("audit_entries", "target", "length(target) <= 500"),
        _check("audit_entries", "address", "length(address) <= 200"),
    )
    op.create_index("ix_audit_entries_at_id", "audit_entries", ["at", "id"])
    op.execute(
        """
        CREATE FUNCTION refuse_audit_edit() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'audit_entries is append-only' USING ERRCODE = 'restrict_violation';
            END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER audit_entries_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_edit()
        """
    )


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))
