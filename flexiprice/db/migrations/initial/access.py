"""API keys, sessions of the monitor, and the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from flexiprice.db.migrations.initial.columns import INSTANT, check, create_functions, drop

_SCOPES = ("read", "events", "labels", "prices", "approve", "admin")
_KNOWN_SCOPES = ", ".join(f"'{scope}'::varchar" for scope in _SCOPES)
_SOURCE = sa.Enum("api", "cli", "monitor", name="audit_source")
_FUNCTIONS = {
    "refuse_audit_edit": """
            BEGIN
                RAISE EXCEPTION 'audit_entries is append-only' USING ERRCODE = 'restrict_violation';
            END
        """,
}
_APPEND_ONLY = """
    CREATE TRIGGER audit_entries_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_edit()
    """


def create() -> None:
    _create_keys()
    _create_sessions()
    _create_audit()


def remove() -> None:
    drop(("audit_entries", "monitor_sessions", "api_keys"), functions=_FUNCTIONS, types=(_SOURCE,))


def _create_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("scopes", ARRAY(sa.String), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("previous_secret_hash", sa.LargeBinary),
        sa.Column("previous_until", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("rotated_at", INSTANT),
        sa.Column("expires_at", INSTANT),
        sa.Column("last_used_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        check("api_keys", "scopes", f"scopes <@ ARRAY[{_KNOWN_SCOPES}] AND cardinality(scopes) > 0"),
        check("api_keys", "name", "length(name) BETWEEN 1 AND 100"),
        check("api_keys", "secret_hash", "octet_length(secret_hash) = 32"),
        check("api_keys", "previous_secret_hash", "octet_length(previous_secret_hash) = 32"),
        check("api_keys", "previous_until", "(previous_secret_hash IS NULL) = (previous_until IS NULL)"),
    )
    op.create_index(
        "uq_api_keys_name_in_use",
        "api_keys",
        ["name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def _create_sessions() -> None:
    op.create_table(
        "monitor_sessions",
        sa.Column("id_hash", sa.LargeBinary, nullable=False),
        sa.Column("key_name", sa.String, nullable=False),
        sa.Column("key_id", sa.String),
        sa.Column("proof", sa.LargeBinary, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("sign_in_until", INSTANT),
        sa.PrimaryKeyConstraint("id_hash", name="pk_monitor_sessions"),
        check("monitor_sessions", "id_hash", "octet_length(id_hash) = 32"),
        check("monitor_sessions", "proof", "octet_length(proof) = 32"),
    )


def _create_audit() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("source", _SOURCE, nullable=False),
        sa.Column("address", sa.String),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("details", JSONB, nullable=False),
        sa.Column("outcome", sa.String, server_default=sa.text("'done'"), nullable=False),
        sa.Column("changes", JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
        check("audit_entries", "actor", "length(actor) BETWEEN 1 AND 200"),
        check("audit_entries", "action", "length(action) BETWEEN 1 AND 100"),
        check("audit_entries", "target", "length(target) <= 500"),
        check("audit_entries", "address", "length(address) <= 200"),
        check("audit_entries", "outcome", "outcome IN ('done', 'refused', 'failed')"),
    )
    op.create_index("ix_audit_entries_at_id", "audit_entries", ["at", "id"])
    create_functions(_FUNCTIONS)
    op.execute(_APPEND_ONLY)
