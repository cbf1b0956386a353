"""What an audit entry changed, and what came of it.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With constant defaults: no row is rewritten.
    op.add_column(
        "audit_entries", sa.Column("outcome", sa.String, nullable=False, server_default=sa.text("'done'"))
    )
    op.add_column(
        "audit_entries", sa.Column("changes", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb"))
    )
    op.create_check_constraint(
        op.f("ck_audit_entries_outcome"), "audit_entries", "outcome IN ('done', 'refused', 'failed')"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_audit_entries_outcome"), "audit_entries")
    op.drop_column("audit_entries", "changes")
    op.drop_column("audit_entries", "outcome")
