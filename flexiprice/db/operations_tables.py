"""The tables of operations: runs, completion records of jobs, workers, audit, API keys, monitor sessions.

They refer to jobs, workers and each other without foreign keys, because rows outlive what they refer to.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Enum, Identity, Index, Integer, String, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from flexiprice.db.base_price_tables import BasePrice
from flexiprice.db.event_tables import StockEvent
from flexiprice.db.gtin_tables import ProductGtin
from flexiprice.db.import_tables import ImportMapping
from flexiprice.db.store_price_tables import PriceListEntry, StorePrice
from flexiprice.db.tables import Base, Instant
from flexiprice.domain.access import Scope
from flexiprice.domain.audit import AuditSource
from flexiprice.domain.run import RunStatus, RunTrigger

# A table belongs to the metadata once its module is imported.
_OF_OTHER_MODULES = (BasePrice, ProductGtin, ImportMapping, StockEvent, PriceListEntry, StorePrice)
METADATA = Base.metadata
"""All tables of the database, including those of the modules above."""


_SCOPES = ", ".join(f"'{scope}'::varchar" for scope in Scope)


def _enum(kind: type[StrEnum], name: str) -> Enum:
    return Enum(kind, name=name, values_callable=_values)


def _values(members: type[StrEnum]) -> list[str]:
    return [member.value for member in members]


class TaskRun(Base):
    """A run: one attempt of a job on a worker.

    Not partitioned: a late record must find its row by id, and does not always know the exact start.
    """

    __tablename__ = "task_runs"
    __table_args__ = (
        CheckConstraint("(status = 'running') = (finished_at IS NULL)", name="finished_at"),
        # A page of runs with any filter.
        Index(None, "started_at", "run_id"),
        Index(None, "task", "started_at", "run_id"),
        Index(None, "job_id"),
        # Searches are for rare statuses; succeeded runs are frequent and need no entry.
        Index(
            "ix_task_runs_not_succeeded",
            "status",
            "started_at",
            "run_id",
            postgresql_where=text("status <> 'succeeded'"),
        ),
    )

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    task: Mapped[str]
    job_id: Mapped[str]
    queue: Mapped[str | None]
    worker_id: Mapped[str]
    attempt: Mapped[int] = mapped_column(Integer)
    status: Mapped[RunStatus] = mapped_column(_enum(RunStatus, "run_status"))
    trigger: Mapped[RunTrigger | None] = mapped_column(_enum(RunTrigger, "run_trigger"))
    parent_job_id: Mapped[str | None]
    request_id: Mapped[str | None]
    arguments: Mapped[dict[str, object] | None] = mapped_column(JSONB)
    enqueued_at: Mapped[Instant | None]
    due_at: Mapped[Instant | None]
    started_at: Mapped[Instant]
    finished_at: Mapped[Instant | None]
    result: Mapped[object | None] = mapped_column(JSONB)
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    traceback: Mapped[str | None]


class CompletionRecord(Base):
    """The result of a job, committed together with its effects, so that the job is idempotent.

    The key is the job's id and the instant of its enqueueing, because an id may be used again.
    """

    __tablename__ = "job_receipts"

    job_id: Mapped[str] = mapped_column(String, primary_key=True)
    enqueued_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), primary_key=True)
    result: Mapped[bytes]
    written_at: Mapped[Instant] = mapped_column(server_default=func.now())


class RegisteredWorker(Base):
    """A worker and its fence: its tasks may commit until `lost_at` is set, and not without a row.

    Transactions of its tasks hold the row FOR SHARE, so that setting `lost_at` waits for them. Host, process
    and start are unknown if the worker was declared dead before it registered.
    """

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    host: Mapped[str | None]
    pid: Mapped[int | None] = mapped_column(Integer)
    started_at: Mapped[Instant | None]
    lost_at: Mapped[Instant | None]


class AuditEntry(Base):
    """An audit entry of a change by a person. Append-only: a trigger refuses updates and deletions."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        CheckConstraint("length(actor) BETWEEN 1 AND 200", name="actor"),
        CheckConstraint("length(action) BETWEEN 1 AND 100", name="action"),
        CheckConstraint("length(target) <= 500", name="target"),
        CheckConstraint("length(address) <= 200", name="address"),
        CheckConstraint("outcome IN ('done', 'refused', 'failed')", name="outcome"),
        Index(None, "at", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[Instant] = mapped_column(insert_default=func.clock_timestamp())
    actor: Mapped[str]
    source: Mapped[AuditSource] = mapped_column(_enum(AuditSource, "audit_source"))
    address: Mapped[str | None]
    action: Mapped[str]
    target: Mapped[str]
    details: Mapped[dict[str, object]] = mapped_column(JSONB)
    outcome: Mapped[str] = mapped_column(server_default=text("'done'"))
    changes: Mapped[dict[str, object]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))


class ApiKey(Base):
    """An API key: its public id and the hash of its secret, never the secret.

    After a rotation, the previous secret stays valid until `previous_until`.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        # No enum type: a new scope then needs only a new constraint, and no rewrite of the table.
        CheckConstraint(f"scopes <@ ARRAY[{_SCOPES}] AND cardinality(scopes) > 0", name="scopes"),
        CheckConstraint("octet_length(secret_hash) = 32", name="secret_hash"),
        CheckConstraint("octet_length(previous_secret_hash) = 32", name="previous_secret_hash"),
        CheckConstraint("(previous_secret_hash IS NULL) = (previous_until IS NULL)", name="previous_until"),
        # The name of a revoked key may be used again.
        Index("uq_api_keys_name_in_use", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(String, primary_key=True)
    name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String))
    secret_hash: Mapped[bytes]
    previous_secret_hash: Mapped[bytes | None]
    previous_until: Mapped[Instant | None]
    created_at: Mapped[Instant]
    rotated_at: Mapped[Instant | None]
    expires_at: Mapped[Instant | None]
    last_used_at: Mapped[Instant | None]
    revoked_at: Mapped[Instant | None]


class MonitorSession(Base):
    """A session of the monitor or, with `sign_in_until`, a one-time sign-in link.

    The id itself is only in the browser, or in the link.
    """

    __tablename__ = "monitor_sessions"
    __table_args__ = (
        CheckConstraint("octet_length(id_hash) = 32", name="id_hash"),
        CheckConstraint("octet_length(proof) = 32", name="proof"),
    )

    id_hash: Mapped[bytes] = mapped_column(primary_key=True)
    key_name: Mapped[str]
    key_id: Mapped[str | None]
    proof: Mapped[bytes]
    created_at: Mapped[Instant]
    seen_at: Mapped[Instant]
    sign_in_until: Mapped[Instant | None]
