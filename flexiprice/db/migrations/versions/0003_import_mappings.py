"""Saved mappings of imports.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "import_mappings",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("options", JSONB, nullable=False),
        sa.Column("saved_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_import_mappings"),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_-]{0,39}$'", name=op.f("ck_import_mappings_name")),
    )


def downgrade() -> None:
    op.drop_table("import_mappings")
