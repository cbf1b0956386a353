"""Events: sales, waste, counts and deliveries, and the stock that they move.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from flexiprice.db.migrations.initial.columns import INSTANT, MONEY, check, drop

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_KIND = sa.Enum("sale", "waste", "count", "delivery", name="event_kind")
_GROUND = sa.Enum("scanned", "price", "assumed", name="allocation_ground")
_TABLES = ("batch_statements", "stock_movements", "set_aside_events", "event_identities", "stock_events")


def upgrade() -> None:
    _create_events()
    _create_identities()
    _create_stock()


def downgrade() -> None:
    drop(_TABLES, types=(_GROUND, _KIND))


def _create_events() -> None:
    op.create_table(
        "stock_events",
        sa.Column("id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("received_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("batch_id", sa.BigInteger),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("store_id", sa.Integer, nullable=False),
        sa.Column("product_id", sa.Integer, nullable=False),
        sa.Column("kind", _KIND, nullable=False),
        sa.Column("unit_price", MONEY),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("line_id", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", "occurred_at", name="pk_stock_events"),
        check("stock_events", "unit_price", "kind = 'sale' OR unit_price IS NULL"),
        check("stock_events", "quantity", "quantity > 0 OR kind = 'count' AND quantity = 0 OR kind = 'sale'"),
        postgresql_partition_by="RANGE (occurred_at)",
    )


def _create_identities() -> None:
    op.create_table(
        "event_identities",
        sa.Column("store_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("line_id", sa.String, nullable=False),
        sa.Column("event_id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "source", "line_id", name="pk_event_identities"),
        check("event_identities", "source", "length(source) BETWEEN 1 AND 64"),
        check("event_identities", "line_id", "length(line_id) BETWEEN 1 AND 128"),
        check("event_identities", "digest", "octet_length(digest) = 16"),
    )
    op.create_index(
        "ix_event_identities_occurred_at", "event_identities", ["occurred_at"], postgresql_using="brin"
    )
    op.create_table(
        "set_aside_events",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("set_aside_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("first_event_id", sa.BigInteger, nullable=False),
        sa.Column("first_occurred_at", INSTANT, nullable=False),
        sa.Column("store_id", sa.Integer, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("line_id", sa.String, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("content", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_set_aside_events"),
        sa.UniqueConstraint(
            "store_id",
            "source",
            "line_id",
            "digest",
            name="uq_set_aside_events_store_id_source_line_id_digest",
        ),
        check("set_aside_events", "digest", "octet_length(digest) = 16"),
    )
    op.create_index("ix_set_aside_events_set_aside_at", "set_aside_events", ["set_aside_at"])


def _create_stock() -> None:
    op.create_table(
        "stock_movements",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.BigInteger),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("ground", _GROUND),
        sa.PrimaryKeyConstraint("batch_id", "occurred_at", "id", name="pk_stock_movements"),
        postgresql_partition_by="RANGE (occurred_at)",
    )
    op.create_table(
        "batch_statements",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("stated_at", INSTANT, nullable=False),
        sa.Column("oversold", sa.BigInteger, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("batch_id", name="pk_batch_statements"),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name="fk_batch_statements_batch_id_batches", ondelete="CASCADE"
        ),
        check("batch_statements", "oversold", "oversold >= 0"),
        postgresql_with={"fillfactor": "80"},
    )
    # The quantity of an older batch was stated by its last change, at the latest.
    op.execute("INSERT INTO batch_statements (batch_id, stated_at) SELECT id, updated_at FROM batches")
