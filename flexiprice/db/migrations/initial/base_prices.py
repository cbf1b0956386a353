"""The history of base prices and the trace of deleted batches, both written by triggers."""

import sqlalchemy as sa
from alembic import op

from flexiprice.db.migrations.initial.columns import INSTANT, MONEY, check, create_functions, drop

# `clock_timestamp()` is read after the rows are locked, so of two changes the later one has the later
# instant; `greatest` keeps that order where the clock is set back.
# The latest row of each product is looked up by the primary key, one product at a time: that is fast whatever
# the planner believes of the transition table, whose size it estimates from the session's first statement.
_LATEST = """
    FROM changed_products AS product
    LEFT JOIN LATERAL (
        SELECT price, valid_from, transaction_id
        FROM base_prices
        WHERE product_id = product.id AND store_id = 0
        ORDER BY valid_from DESC
        LIMIT 1
    ) AS latest ON true
    WHERE latest.price IS DISTINCT FROM CASE WHEN TG_OP = 'UPDATE' THEN product.base_price END
"""
# A transaction that has recorded prices before may replace its own rows. `ON CONFLICT` doubles the cost of an
# insert, so the others do without.
_RECORD_BASE_PRICES = f"""
    DECLARE
        changed_at CONSTANT timestamptz := clock_timestamp();
        this_transaction CONSTANT bigint := pg_current_xact_id()::text::bigint;
        recorded_before CONSTANT boolean := coalesce(
            current_setting('flexiprice.recorded_base_prices', true) = this_transaction::text, false
        );
    BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO base_prices (product_id, store_id, valid_from, price, transaction_id)
            SELECT id, 0, changed_at, base_price, this_transaction FROM changed_products;
        ELSIF recorded_before THEN
            INSERT INTO base_prices (product_id, store_id, valid_from, price, transaction_id)
            SELECT product.id, 0,
                   CASE WHEN latest.transaction_id = this_transaction AND latest.valid_from >= now()
                        THEN latest.valid_from
                        ELSE greatest(changed_at, latest.valid_from + interval '1 microsecond') END,
                   CASE WHEN TG_OP = 'UPDATE' THEN product.base_price END,
                   this_transaction
            {_LATEST}
            ON CONFLICT (product_id, store_id, valid_from) DO UPDATE SET price = EXCLUDED.price;
        ELSE
            INSERT INTO base_prices (product_id, store_id, valid_from, price, transaction_id)
            SELECT product.id, 0,
                   greatest(changed_at, latest.valid_from + interval '1 microsecond'),
                   CASE WHEN TG_OP = 'UPDATE' THEN product.base_price END,
                   this_transaction
            {_LATEST};
        END IF;
        PERFORM set_config('flexiprice.recorded_base_prices', this_transaction::text, true);
        RETURN NULL;
    END
"""  # noqa: S608 - of constants
_FORGET_BASE_PRICES = """
    BEGIN
        -- `TRUNCATE … RESTART IDENTITY` gives ids out again: the next product must not inherit a history.
        TRUNCATE base_prices;
        RETURN NULL;
    END
"""
_REMEMBER_DELETED_BATCHES = """
    BEGIN
        INSERT INTO deleted_batches (product_id, store_id, batch_id, deleted_at)
        SELECT product_id, store_id, id, clock_timestamp() FROM deleted
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END
"""
_FUNCTIONS = {
    "record_base_prices": _RECORD_BASE_PRICES,
    "forget_base_prices": _FORGET_BASE_PRICES,
    "remember_deleted_batches": _REMEMBER_DELETED_BATCHES,
}
_TRIGGERS = (
    ("base_prices_of_inserted", "INSERT", "products", "NEW TABLE AS changed_products", "record_base_prices"),
    ("base_prices_of_updated", "UPDATE", "products", "NEW TABLE AS changed_products", "record_base_prices"),
    ("base_prices_of_deleted", "DELETE", "products", "OLD TABLE AS changed_products", "record_base_prices"),
    ("base_prices_of_truncated", "TRUNCATE", "products", None, "forget_base_prices"),
    (
        "deleted_batches_are_remembered",
        "DELETE",
        "batches",
        "OLD TABLE AS deleted",
        "remember_deleted_batches",
    ),
)


def create() -> None:
    op.create_table(
        "base_prices",
        sa.Column("product_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("store_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("valid_from", INSTANT, nullable=False),
        sa.Column("price", MONEY),
        sa.Column("transaction_id", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("product_id", "store_id", "valid_from", name="pk_base_prices"),
        check("base_prices", "price", "price > 0"),
    )
    op.create_index("ix_base_prices_valid_from", "base_prices", ["valid_from"], postgresql_using="brin")
    op.create_table(
        "deleted_batches",
        sa.Column("product_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("store_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("deleted_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("product_id", "store_id", "batch_id", name="pk_deleted_batches"),
    )
    # A restore of data alone runs with an empty search_path, and fires triggers.
    create_functions(_FUNCTIONS, "SET search_path FROM CURRENT")
    for name, event, table, transition, function in _TRIGGERS:
        referencing = "" if transition is None else f"REFERENCING {transition}"
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON {table} {referencing} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )


def remove() -> None:
    for name, _event, table, _transition, _function in _TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON {table}")
    drop(("deleted_batches", "base_prices"), functions=_FUNCTIONS)
