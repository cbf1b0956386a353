"""GTINs of products.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "product_gtins",
        sa.Column("gtin", sa.String(14), nullable=False),
        sa.Column("product_id", sa.Integer, nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("gtin", name="pk_product_gtins"),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_product_gtins_product_id_products", ondelete="CASCADE"
        ),
        sa.CheckConstraint("gtin ~ '^[0-9]{14}$'", name=op.f("ck_product_gtins_gtin")),
    )
    op.create_index("ix_product_gtins_product_id", "product_gtins", ["product_id"])


def downgrade() -> None:
    op.drop_table("product_gtins")
