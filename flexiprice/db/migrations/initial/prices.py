"""Discounts, the ledger of price decisions, and the price history."""

import sqlalchemy as sa
from alembic import op

from flexiprice.db.migrations.initial.columns import (
    INSTANT,
    MONEY,
    RATE,
    check,
    create_functions,
    drop,
    updated_at,
)

_KIND = sa.Enum("opened", "changed", "closed", name="decision_kind")
_REASON = sa.Enum("expired", "sold_out", "no_discount", "deleted", name="close_reason")
_FUNCTIONS = {
    "refuse_ledger_edit": """
        BEGIN
            RAISE EXCEPTION 'price_decisions is append-only' USING ERRCODE = 'restrict_violation';
        END
    """,
}
_APPEND_ONLY = """
    CREATE TRIGGER price_decisions_are_append_only BEFORE UPDATE OR DELETE ON price_decisions
        FOR EACH ROW EXECUTE FUNCTION refuse_ledger_edit()
    """


def create() -> None:
    _create_discounts()
    _create_ledger()
    _create_price_history()


def remove() -> None:
    drop(("price_history", "price_decisions", "discounts"), functions=_FUNCTIONS, types=(_REASON, _KIND))


def _create_discounts() -> None:
    op.create_table(
        "discounts",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.BigInteger, nullable=False),
        sa.Column("price", MONEY, nullable=False),
        sa.Column("base_price", MONEY, nullable=False),
        sa.Column("unit_cost", MONEY),
        sa.Column("rate", RATE, nullable=False),
        sa.Column("rule", sa.String),
        sa.Column("limits", sa.SmallInteger, nullable=False),
        sa.Column("policy_version", sa.Integer, nullable=False),
        sa.Column("expiry_date", sa.Date, nullable=False),
        sa.Column("days_to_expiry", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        updated_at(),
        sa.PrimaryKeyConstraint("batch_id", name="pk_discounts"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name="fk_discounts_batch_id_batches"),
        check("discounts", "price", "price > 0 AND price < base_price"),
        check("discounts", "rate", "rate >= 0 AND rate < 1"),
        check("discounts", "limits", "limits BETWEEN 0 AND 63"),
        postgresql_with={"fillfactor": "80"},
    )


def _create_ledger() -> None:
    op.create_table(
        "price_decisions",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("kind", _KIND, nullable=False),
        sa.Column("close_reason", _REASON),
        sa.Column("store_id", sa.Integer, nullable=False),
        sa.Column("product_id", sa.Integer, nullable=False),
        sa.Column("price", MONEY),
        sa.Column("previous_price", MONEY),
        sa.Column("base_price", MONEY, nullable=False),
        sa.Column("unit_cost", MONEY),
        sa.Column("rate", RATE),
        sa.Column("rule", sa.String),
        sa.Column("limits", sa.SmallInteger, nullable=False),
        sa.Column("policy_version", sa.Integer, nullable=False),
        sa.Column("expiry_date", sa.Date, nullable=False),
        sa.Column("days_to_expiry", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "decided_at", "id", name="pk_price_decisions"),
        check("price_decisions", "close_reason", "(kind = 'closed') = (close_reason IS NOT NULL)"),
        check("price_decisions", "price", "(kind = 'closed') = (price IS NULL)"),
        check("price_decisions", "previous_price", "(kind = 'opened') = (previous_price IS NULL)"),
        postgresql_partition_by="RANGE (decided_at)",
    )
    create_functions(_FUNCTIONS)
    op.execute(_APPEND_ONLY)


def _create_price_history() -> None:
    op.create_table(
        "price_history",
        sa.Column("product_id", sa.Integer, nullable=False),
        sa.Column("store_id", sa.Integer, nullable=False),
        sa.Column("slot_at", INSTANT, nullable=False),
        sa.Column("price", MONEY, nullable=False),
        sa.Column("base_price", MONEY, nullable=False),
        sa.PrimaryKeyConstraint(
            "product_id", "store_id", "slot_at",
            name="pk_price_history", postgresql_include=["price", "base_price"],
        ),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="fk_price_history_product_id_products"),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name="fk_price_history_store_id_stores"),
        check("price_history", "price", "price > 0 AND price <= base_price"),
        check(
            "price_history", "slot_at",
            "date_bin('6 hours', slot_at, timestamptz '2000-01-01 00:00:00+00') = slot_at",
        ),
        postgresql_partition_by="RANGE (slot_at)",
    )  # fmt: skip
    op.create_index("ix_price_history_slot_at", "price_history", ["slot_at"])
