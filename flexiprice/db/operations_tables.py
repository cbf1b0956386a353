"""The tables that operations need: runs, receipts of jobs, the workers' fence, the audit, API keys.

They name jobs, workers and each other without foreign keys, because each outlives what it names.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Enum, Identity, Index, Integer, String, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from flexiprice.db.base_price_tables import BasePrice
from flexiprice.db.tables import Base, Instant
from flexiprice.domain.access import Scope
from flexiprice.domain.audit import AuditSource
from flexiprice.domain.run import RunStatus, RunTrigger

METADATA = BasePrice.metadata
"""Every table of the database, those of `tables` and `base_price_tables` included."""


_SCOPES = ", ".join(f"'{scope}'::varchar" for scope in Scope)


def _enum(kind: type[StrEnum], name: str) -> Enum:
    return Enum(kind, name=name, values_callable=_values)


def _values(members: type[StrEnum]) -> list[str]:
    return [member.value for member in members]


class TaskRun(Base):
    """A run: one attempt of a job on a worker.

    Not partitioned: whoever learns of a run knows its id, but not always the exact instant at which it
    began, and a record that comes late must find its row.
    """

    __tablename__ = "task_runs"
    __table_args__ = (
        CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="finished_at"),
        # A page of runs, whatever it is filtered by.
        Index(None, "started_at", "run_id"),
        Index(None, "task", "started_at", "run_id"),
        Index(None, "job_id"),
        # What is looked for is rare; what succeeded is not, and has no need of an entry.
        Index(
            "ix_task_runs_not_succeeded",
            "state",
            "started_at",
            "run_id",
            postgresql_where=text("state <> 'succeeded'"),
        ),
    )

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    task: Mapped[str]
    job_id: Mapped[str]
    queue: Mapped[str | None]
    worker_id: Mapped[str]
    attempt: Mapped[int] = mapped_column(Integer)
    state: Mapped[RunStatus] = mapped_column(_enum(RunStatus, "run_state"))
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
    """What a job came to, committed together with its effects, so that they happen once.

    A job is known by its id and the instant at which it was enqueued: an id may be used again.
    """

    __tablename__ = "job_receipts"

    job_id: Mapped[str] = mapped_column(String, primary_key=True)
    enqueued_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), primary_key=True)
    result: Mapped[bytes]
    written_at: Mapped[Instant] = mapped_column(server_default=func.now())


class RegisteredWorker(Base):
    """A worker that may commit what its tasks do, until `lost_at` is set; without a row it may not.

    Each of its tasks' transactions holds its row FOR SHARE, so that setting `lost_at` waits for them.
    Host, process and start are unknown of a worker that was lost before it could register.
    """

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    host: Mapped[str | None]
    pid: Mapped[int | None] = mapped_column(Integer)
    started_at: Mapped[Instant | None]
    lost_at: Mapped[Instant | None]


class AuditEntry(Base):
    """A change that a person made: append-only (a trigger refuses updates and deletions), kept for good."""

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
    """A key to what is under `/admin`: its public id and the hash of its secret, never the secret.

    After a rotation the secret before it may open too, until `previous_until`.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        # No type of its own: a scope that is added later is then a new constraint, and nothing is rewritten.
        CheckConstraint(f"scopes <@ ARRAY[{_SCOPES}] AND cardinality(scopes) > 0", name="scopes"),
        CheckConstraint("octet_length(secret_hash) = 32", name="secret_hash"),
        CheckConstraint("octet_length(previous_secret_hash) = 32", name="previous_secret_hash"),
        CheckConstraint("(previous_secret_hash IS NULL) = (previous_until IS NULL)", name="previous_until"),
        # A name may be given again once its key is revoked.
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
    """Somebody who has signed in to the monitor, or, with `sign_in_until`, an address that signs in once.

    The id itself is only in the browser, or in the address.
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
