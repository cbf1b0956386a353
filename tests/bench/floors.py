"""The barest statements: constants into the same rows under the same constraints, and a bare join.

`rows_to_write` holds the keys of the rows, so that finding them is no part of what is measured.
"""

ROWS_TO_WRITE = "rows_to_write"

# One column of each table besides the keys, so that the floor scans tables and not only indexes.
SCAN_AND_JOIN = """
    SELECT count(*), count(products.base_price), count(discounts.price)
    FROM batches
    JOIN products ON products.id = batches.product_id
    JOIN stores ON stores.id = batches.store_id
    LEFT JOIN discounts ON discounts.batch_id = batches.id
    WHERE (batches.quantity > 0
           AND batches.expiry_date BETWEEN CAST(:today AS date) AND CAST(:today AS date) + 30)
       OR discounts.batch_id IS NOT NULL
"""

INSERT_DISCOUNTS = f"""
    INSERT INTO discounts (
        batch_id, fingerprint, price, base_price, unit_cost, rate, rule, limits, policy_version, expiry_date,
        days_to_expiry, quantity, opened_at, changed_at
    )
    SELECT batch_id, 1234567890123456789, 9.99, 12.34, 5.67, 0.1905, 'two weeks left', 8, 2,
           CAST(:today AS date), 9, 60, CAST(:now AS timestamptz), CAST(:now AS timestamptz)
    FROM {ROWS_TO_WRITE}
"""

UPDATE_DISCOUNTS = f"""
    UPDATE discounts SET
        fingerprint = 1234567890123456789, price = 9.99, base_price = 12.34, unit_cost = 5.67, rate = 0.1905,
        rule = 'two weeks left', limits = 8, policy_version = 2, expiry_date = CAST(:today AS date),
        days_to_expiry = 9, quantity = 60000, changed_at = CAST(:now AS timestamptz)
    FROM {ROWS_TO_WRITE} AS rows WHERE rows.batch_id = discounts.batch_id
"""

DELETE_DISCOUNTS = (
    f"DELETE FROM discounts USING {ROWS_TO_WRITE} AS rows WHERE rows.batch_id = discounts.batch_id"
)


def insert_decisions(kind: str) -> str:
    """Lines of the ledger of one kind."""
    reason, price, previous = {
        "opened": ("NULL", "9.99", "NULL"),
        "changed": ("NULL", "9.99", "10.49"),
        "closed": ("'expired'", "NULL", "10.49"),
    }[kind]
    values = f"CAST('{kind}' AS decision_kind), CAST({reason} AS close_reason), {price}, {previous}"
    return f"""
        INSERT INTO price_decisions (
            kind, close_reason, price, previous_price, batch_id, rate, rule, decided_at, store_id, product_id,
            base_price, unit_cost, limits, policy_version, expiry_date, days_to_expiry, quantity
        )
        SELECT {values}, batch_id, 0.1905, 'two weeks left', CAST(:now AS timestamptz), 1, 1, 12.34, 5.67,
               8, 2, CAST(:today AS date), 9, 60
        FROM {ROWS_TO_WRITE}
    """


def keep_rows(query: str) -> tuple[str, ...]:
    """Statements that put the keys of the rows to write aside."""
    return (
        f"DROP TABLE IF EXISTS {ROWS_TO_WRITE}",
        f"CREATE TABLE {ROWS_TO_WRITE} AS {query}",
        f"ANALYZE {ROWS_TO_WRITE}",
    )
