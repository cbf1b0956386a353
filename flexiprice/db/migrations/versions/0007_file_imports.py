"""Imported files of the watched directory.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TYPE audit_source ADD VALUE IF NOT EXISTS 'folder'")
    op.create_table(
        "file_imports",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column(
            "imported_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("place", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("error", sa.String),
        sa.Column("report", JSONB),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_file_imports"),
        sa.UniqueConstraint("fingerprint", name="uq_file_imports_fingerprint"),
        sa.CheckConstraint("length(place) <= 500", name=op.f("ck_file_imports_place")),
        sa.CheckConstraint("status IN ('imported', 'partly', 'failed')", name=op.f("ck_file_imports_status")),
        sa.CheckConstraint("octet_length(fingerprint) = 32", name=op.f("ck_file_imports_fingerprint")),
    )
    op.create_index("ix_file_imports_imported_at_id", "file_imports", ["imported_at", "id"])


def downgrade() -> None:
    # An enum's value cannot be removed; it is harmless.
    op.drop_table("file_imports")
