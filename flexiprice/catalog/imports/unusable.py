"""Removes staged rows that repeat a batch, give one lot two dates, or whose product does not exist."""

from collections.abc import AsyncIterator, Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.fields import ImportField
from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.catalog.imports.problems import BadRow, CellProblem
from flexiprice.db.batch_name import name_date_of
from flexiprice.domain.expiry import expiry_words


async def remove_repeated(session: AsyncSession, columns: Mapping[ImportField, str]) -> AsyncIterator[BadRow]:
    """Removes all rows of a batch but the first, and all rows of a lot with two expiry dates; yields them.

    Adding quantities, or taking the last row, would be a guess. `columns` are the file's columns by field.
    """
    repeated = await session.stream(_REMOVE_REPEATED)
    async for line, first_line, lot, day, other_line, other_day in repeated:
        if other_line is None:
            reason = f"is the same batch as line {first_line}: give each row its own lot, or merge the rows"
            yield BadRow(line, (CellProblem(None, reason),))
        else:
            reason = (
                f"is {expiry_words(day)} here and {expiry_words(other_day)} on line {other_line}, for the "
                f"lot {shown(lot)}: a lot has one expiry date, so neither row is imported"
            )
            yield BadRow(line, (CellProblem(columns.get(ImportField.EXPIRY_DATE), reason),))


async def remove_unknown(session: AsyncSession, sku_column: str | None) -> AsyncIterator[BadRow]:
    """Removes rows of stock levels only whose product does not exist, and yields them.

    Args:
        session: in which the products of the other rows have been written.
        sku_column: the file's column of the SKU; None if no row could be read.
    """
    unknown = await session.stream(_REMOVE_UNKNOWN)
    async for line, sku in unknown:
        reason = f"there is no product {shown(sku)}; a new one needs name, category and base_price"
        yield BadRow(line, (CellProblem(sku_column, reason),))


# Of a lot with two dates, each row names the first row with another date.
_REMOVE_REPEATED = text(
    f"""
    WITH numbered AS (
        SELECT line, store_id, sku, lot, expiry_date,
            first_value(line) OVER in_order AS first_line,
            first_value(expiry_date) OVER in_order AS first_date,
            min(expiry_date) OVER of_batch <> max(expiry_date) OVER of_batch AS is_disputed
        FROM pg_temp.import_rows
        WINDOW of_batch AS (PARTITION BY store_id, sku, lot, {name_date_of()}),
            in_order AS (of_batch ORDER BY line)
    ),
    unusable AS (
        SELECT line, first_line,
            CASE WHEN expiry_date <> first_date THEN first_line
                ELSE min(line) FILTER (WHERE expiry_date <> first_date) OVER (PARTITION BY store_id, sku, lot)
            END AS other_line
        FROM numbered
        WHERE is_disputed OR line <> first_line
    ),
    compared AS (
        SELECT unusable.line, unusable.first_line, unusable.other_line, others.expiry_date AS other_date
        FROM unusable
        LEFT JOIN pg_temp.import_rows AS others ON others.line = unusable.other_line
    )
    DELETE FROM pg_temp.import_rows AS repeated
    USING compared
    WHERE repeated.line = compared.line
    RETURNING repeated.line, first_line, repeated.lot, repeated.expiry_date, other_line, other_date
    """  # noqa: S608 -- a constant
)

_REMOVE_UNKNOWN = text(
    """
    DELETE FROM pg_temp.import_rows AS staged
    WHERE name IS NULL AND NOT EXISTS (SELECT FROM products WHERE products.sku = staged.sku)
    RETURNING line, sku
    """
)
