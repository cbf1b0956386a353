"""Removes staged rows whose unit or quantity does not fit the product's unit."""

from collections.abc import AsyncIterator, Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.fields import ImportField
from flexiprice.catalog.imports.notation.quantities import unit_refusal
from flexiprice.catalog.imports.problems import BadRow, CellProblem
from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.domain.quantity import Unit


async def remove_unfitting(
    session: AsyncSession,
    columns: Mapping[ImportField, str],
    *,
    decimal_comma: bool,
    spelling: Spelling,
) -> AsyncIterator[BadRow]:
    """Removes rows that change the unit of stock, and rows whose quantity the unit does not allow.

    Args:
        session: with the staged rows; products have not been merged yet.
        columns: the file's columns by field.
        decimal_comma: the notation of the file's numbers.
        spelling: of options in reasons.
    """
    if ImportField.UNIT in columns:
        async for line, unit, stored, has_stock in await session.stream(_REMOVE_CHANGED):
            reason = f"is {unit} here, and the product is counted in {stored}"
            hint = "set its stock to 0 before the unit changes" if has_stock else "change the unit first"
            yield BadRow(line, (CellProblem(columns[ImportField.UNIT], f"{reason}: {hint}"),))
    column = columns.get(ImportField.QUANTITY)
    async for line, cell, unit in await session.stream(_REMOVE_IMPOSSIBLE):
        refused = unit_refusal(cell, Unit(unit), decimal_comma=decimal_comma)
        yield BadRow(line, (CellProblem(column, refused.reason(spelling)),))


# A row of stock levels alone does not change its product.
_REMOVE_CHANGED = text(
    """
    DELETE FROM pg_temp.import_rows AS staged
    USING products, LATERAL (
        SELECT EXISTS (SELECT FROM batches WHERE batches.product_id = products.id AND quantity > 0)
    ) AS stock (has_stock)
    WHERE products.sku = staged.sku
        AND staged.unit <> products.unit
        AND (staged.name IS NULL OR has_stock)
    RETURNING staged.line, staged.unit::text, products.unit::text, has_stock
    """
)

_REMOVE_IMPOSSIBLE = text(
    """
    WITH given AS (
        SELECT sku, max(unit) AS unit FROM pg_temp.import_rows WHERE unit IS NOT NULL GROUP BY sku
    ),
    doubtful AS (
        SELECT line, coalesce(given.unit, products.unit, 'each') AS unit
        FROM pg_temp.import_rows AS staged
        LEFT JOIN given USING (sku)
        LEFT JOIN products USING (sku)
        WHERE quantity_cell IS NOT NULL
    )
    DELETE FROM pg_temp.import_rows AS staged
    USING doubtful
    WHERE doubtful.line = staged.line
        AND (doubtful.unit = 'each') = (staged.quantity % 1000 <> 0)
    RETURNING staged.line, staged.quantity_cell, doubtful.unit::text
    """
)
