"""Prices by store: the price list, the prices in force, and their history.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from flexiprice.db.migrations.initial.columns import INSTANT, MONEY, check, create_functions, drop

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PRICE = "price BETWEEN 0.01 AND 9999999999.99"
# As for the prices of products (0044): the instant is read after the rows are locked, and several changes in
# one transaction are one row. A row without a price says that the product's price holds again.
# A price of a store that is written together with the product's begins with it: the product's price of that
# instant was never in force in the store, and must not count as its lowest.
_RECORD_STORE_PRICES = """
    DECLARE
        changed_at CONSTANT timestamptz := clock_timestamp();
        this_transaction CONSTANT bigint := pg_current_xact_id()::text::bigint;
    BEGIN
        INSERT INTO base_prices (product_id, store_id, valid_from, price, transaction_id)
        SELECT changed.product_id, changed.store_id,
               CASE WHEN latest.transaction_id = this_transaction AND latest.valid_from >= now()
                    THEN latest.valid_from
                    ELSE greatest(
                        CASE WHEN for_all.transaction_id = this_transaction AND for_all.valid_from >= now()
                             THEN for_all.valid_from ELSE changed_at END,
                        latest.valid_from + interval '1 microsecond'
                    ) END,
               CASE WHEN TG_OP <> 'DELETE' THEN changed.price END,
               this_transaction
        FROM changed_prices AS changed
        LEFT JOIN LATERAL (
            SELECT price, valid_from, transaction_id
            FROM base_prices
            WHERE product_id = changed.product_id AND store_id = changed.store_id
            ORDER BY valid_from DESC
            LIMIT 1
        ) AS latest ON true
        LEFT JOIN LATERAL (
            SELECT valid_from, transaction_id
            FROM base_prices
            WHERE product_id = changed.product_id AND store_id = 0
            ORDER BY valid_from DESC
            LIMIT 1
        ) AS for_all ON true
        WHERE latest.price IS DISTINCT FROM CASE WHEN TG_OP <> 'DELETE' THEN changed.price END
        ON CONFLICT (product_id, store_id, valid_from) DO UPDATE SET price = EXCLUDED.price;
        RETURN NULL;
    END
"""
_FORGET_STORE_PRICES = """
    BEGIN
        DELETE FROM base_prices WHERE store_id <> 0;
        RETURN NULL;
    END
"""
_FUNCTIONS = {"record_store_prices": _RECORD_STORE_PRICES, "forget_store_prices": _FORGET_STORE_PRICES}
_TRIGGERS = (
    ("base_prices_of_inserted", "INSERT", "NEW TABLE AS changed_prices", "record_store_prices"),
    ("base_prices_of_updated", "UPDATE", "NEW TABLE AS changed_prices", "record_store_prices"),
    ("base_prices_of_deleted", "DELETE", "OLD TABLE AS changed_prices", "record_store_prices"),
    ("base_prices_of_truncated", "TRUNCATE", None, "forget_store_prices"),
)


def upgrade() -> None:
    op.create_table(
        "price_list",
        sa.Column("id", sa.Integer, sa.Identity(always=True), nullable=False),
        sa.Column("product_id", sa.Integer, nullable=False),
        sa.Column("store_id", sa.Integer),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("valid_until", sa.Date),
        sa.Column("price", MONEY, nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_price_list"),
        *_belongs_to("price_list"),
        check("price_list", "price", _PRICE),
        check("price_list", "valid_from", "valid_from BETWEEN '1970-01-01' AND '9999-12-31'"),
        check("price_list", "valid_until", "valid_until BETWEEN valid_from AND '9999-12-31'"),
    )
    op.create_index(
        "uq_price_list_store",
        "price_list",
        ["product_id", "store_id", "valid_from"],
        unique=True,
        postgresql_where=sa.text("store_id IS NOT NULL"),
    )
    op.create_index(
        "uq_price_list_all_stores",
        "price_list",
        ["product_id", "valid_from"],
        unique=True,
        postgresql_where=sa.text("store_id IS NULL"),
    )
    op.create_table(
        "store_prices",
        sa.Column("product_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("store_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("price", MONEY, nullable=False),
        sa.PrimaryKeyConstraint("product_id", "store_id", name="pk_store_prices"),
        *_belongs_to("store_prices"),
        check("store_prices", "price", _PRICE),
    )
    # A restore of data alone runs with an empty search_path, and fires triggers.
    create_functions(_FUNCTIONS, "SET search_path FROM CURRENT")
    for name, event, transition, function in _TRIGGERS:
        referencing = "" if transition is None else f"REFERENCING {transition}"
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON store_prices {referencing} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )


def downgrade() -> None:
    op.execute("DELETE FROM base_prices WHERE store_id <> 0")
    drop(("store_prices", "price_list"), functions=_FUNCTIONS)


def _belongs_to(table: str) -> tuple[sa.ForeignKeyConstraint, ...]:
    """Prices go with their product and their store."""
    return tuple(
        sa.ForeignKeyConstraint(
            [column], [f"{parents}.id"], name=f"fk_{table}_{column}_{parents}", ondelete="CASCADE"
        )
        for column, parents in (("product_id", "products"), ("store_id", "stores"))
    )
