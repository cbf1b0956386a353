"""Gives products the GTINs of their rows; removes rows whose GTIN is that of another product."""

from collections.abc import AsyncIterator

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.catalog.imports.problems import BadRow, CellProblem


async def remove_taken(session: AsyncSession, column: str) -> AsyncIterator[BadRow]:
    """Removes all rows with a GTIN that another product has, in the database or in the file, and yields them.

    Which product a scan means could not be known. `column` is the file's column of the GTIN.
    """
    taken = await session.stream(_REMOVE_TAKEN)
    async for line, gtin, sku, other_line in taken:
        reason = (
            f"{gtin} is the GTIN of the product {shown(sku)}"
            if other_line is None
            else f"{gtin} is also the GTIN of {shown(sku)} on line {other_line}: neither row is imported"
        )
        yield BadRow(line, (CellProblem(column, reason),))


async def merge_gtins(session: AsyncSession) -> int:
    """Adds the GTINs of the staged rows to their products, which must exist; returns how many are new."""
    return int((await session.execute(_MERGE)).scalar_one())


_REMOVE_TAKEN = text(
    """
    WITH claims AS (
        SELECT staged.line, staged.sku, claim.gtin,
            first_value(staged.sku) OVER of_gtin AS first_sku,
            first_value(staged.line) OVER of_gtin AS first_line
        FROM pg_temp.import_rows AS staged
        CROSS JOIN unnest(string_to_array(staged.gtins, ' ')) AS claim (gtin)
        WINDOW of_gtin AS (PARTITION BY claim.gtin ORDER BY staged.line)
    ),
    rivals AS (
        SELECT claims.*,
            CASE WHEN sku <> first_sku THEN first_line
                ELSE min(line) FILTER (WHERE sku <> first_sku) OVER (PARTITION BY gtin)
            END AS other_line
        FROM claims
    ),
    taken AS (
        SELECT DISTINCT ON (rivals.line) rivals.line, rivals.gtin, owner.sku AS owner,
            CASE WHEN owner.id IS NULL THEN rivals.other_line END AS other_line
        FROM rivals
        LEFT JOIN product_gtins USING (gtin)
        LEFT JOIN products AS owner ON owner.id = product_gtins.product_id
        -- Where a product has it already, only the rows of others are bad.
        WHERE owner.sku <> rivals.sku OR (owner.id IS NULL AND rivals.other_line IS NOT NULL)
        ORDER BY rivals.line, owner.sku, rivals.gtin
    ),
    named AS (
        SELECT taken.line, taken.gtin, coalesce(taken.owner, other.sku) AS sku, taken.other_line
        FROM taken
        LEFT JOIN pg_temp.import_rows AS other ON other.line = taken.other_line
    )
    DELETE FROM pg_temp.import_rows AS staged
    USING named
    WHERE staged.line = named.line
    RETURNING named.line, named.gtin, named.sku, named.other_line
    """
)

# Products that this transaction has written are new to readers of changes already.
_MERGE = text(
    """
    WITH added AS (
        INSERT INTO product_gtins (gtin, product_id)
        SELECT DISTINCT claim.gtin, products.id
        FROM pg_temp.import_rows AS staged
        CROSS JOIN unnest(string_to_array(staged.gtins, ' ')) AS claim (gtin)
        JOIN products USING (sku)
        WHERE NOT EXISTS (SELECT FROM product_gtins WHERE product_gtins.gtin = claim.gtin)
        ORDER BY claim.gtin
        RETURNING product_id
    ),
    touched AS (
        UPDATE products SET updated_at = now()
        WHERE id IN (SELECT product_id FROM added) AND updated_at < now()
    )
    SELECT count(*) FROM added
    """
)
