"""The name of a batch of a product in a store: its lot, or its expiry date if it has no lot."""

from typing import Final


def name_date_of(table: str = "") -> str:
    """Returns the expression in SQL of the date in a batch's name: the same for all batches with a lot.

    Args:
        table: a table or an alias with `lot` and `expiry_date`; by default the only one of the statement.
    """
    of = f"{table}." if table else ""
    # With PostgreSQL's line breaks: Alembic compares the text of the index.
    return f"\nCASE\nWHEN {of}lot = '' THEN {of}expiry_date\nELSE '-infinity'::date\nEND"


def same_name(batch: str, other: str) -> str:
    """Returns the condition in SQL that two rows with `lot` and `expiry_date` name one batch.

    Both parts are equalities, so that the unique index of `batches` finds a few rows, and a hash join many.

    Args:
        batch: the table or alias of one row.
        other: that of the other row.
    """
    return f"{batch}.lot = {other}.lot AND {name_date_of(batch)} = {name_date_of(other)}"


NAME_COLUMNS: Final = f"store_id, product_id, lot, ({name_date_of()})"
"""The columns and the expression of the unique index of `batches`, for `ON CONFLICT`."""
