"""API keys: named, scoped, kept as hashes.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INSTANT = sa.TIMESTAMP(timezone=True)
_SCOPE = sa.Enum("read", "prices", "admin", name="key_scope")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("scope", _SCOPE, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("previous_secret_hash", sa.LargeBinary),
        sa.Column("previous_until", _INSTANT),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("rotated_at", _INSTANT),
        sa.Column("expires_at", _INSTANT),
        sa.Column("last_used_at", _INSTANT),
        sa.Column("revoked_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        _check("name", "length(name) BETWEEN 1 AND 100"),
        _check("secret_hash", "octet_length(secret_hash) = 32"),
        _check("previous_secret_hash", "octet_length(previous_secret_hash) = 32"),
        _check("previous_until", "(previous_secret_hash IS NULL) = (previous_until IS NULL)"),
    )
    op.create_index(
        "uq_api_keys_name_in_use",
        "api_keys",
        ["name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("api_keys")
    op.execute(f"DROP TYPE {_SCOPE.name}")


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_api_keys_{name}"))
