"""Sessions of the monitor, which end for all monitors at once.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "monitor_sessions",
        sa.Column("id_hash", sa.LargeBinary, nullable=False),
        sa.Column("key_name", sa.String, nullable=False),
        sa.Column("key_id", sa.String),
        sa.Column("proof", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("seen_at", _INSTANT, nullable=False),
        sa.Column("sign_in_until", _INSTANT),
        sa.PrimaryKeyConstraint("id_hash", name="pk_monitor_sessions"),
        _check("id_hash", "octet_length(id_hash) = 32"),
        _check("proof", "octet_length(proof) = 32"),
    )


def downgrade() -> None:
    op.drop_table("monitor_sessions")


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_monitor_sessions_{name}"))
