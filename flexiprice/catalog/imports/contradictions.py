"""Finds staged rows that contradict each other about one product."""

from collections.abc import AsyncIterator, Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.fields import ImportField
from flexiprice.catalog.imports.problems import BadRow, CellProblem, DataWarning

_FIELDS = (ImportField.BASE_PRICE, ImportField.UNIT_COST, ImportField.CATEGORY, ImportField.UNIT)
_OTHERS_DIFFER = CellProblem(None, "is about a product that has two costs or units in other rows")


async def remove_contradictory(
    session: AsyncSession, columns: Mapping[ImportField, str]
) -> AsyncIterator[BadRow]:
    """Removes rows that contradict others about their product, and yields them.

    These are all rows of products that have two costs, categories or units, and all rows of a product in a
    store that have two prices. Which row is right cannot be known, and customers would pay a wrong price.
    `columns` are the file's columns by field.
    """
    await session.execute(text("DROP TABLE IF EXISTS pg_temp.import_disputed"))
    await session.execute(_COLLECT_DISPUTED)
    rows = await session.stream(_REMOVE_CONTRADICTORY)
    async for line, *found in rows:
        differences = zip(_FIELDS, found[0::3], found[1::3], found[2::3], strict=True)
        problems = tuple(
            CellProblem(columns.get(field, field.value), _reason(field, own, other_line, other))
            for field, own, other_line, other in differences
            if other_line is not None
        )
        yield BadRow(line, problems or (_OTHERS_DIFFER,))
    await session.execute(_COMPLETE_COSTS)


async def find_renamed(
    session: AsyncSession, columns: Mapping[ImportField, str]
) -> AsyncIterator[DataWarning]:
    """Yields a warning for each product with several names in the file; the last name is kept."""
    rows = await session.stream(_RENAMED)
    async for line, other_line in rows:
        yield DataWarning(
            line,
            columns.get(ImportField.NAME),
            f"differs from line {other_line}, about the same product; this last name is kept",
        )


def _reason(field: ImportField, own: object, other_line: int, other: object) -> str:
    own_text, other_text = ("none" if value is None else str(value) for value in (own, other))
    if field is ImportField.BASE_PRICE:
        return (
            f"is {own_text} here and {other_text} on line {other_line}, for the same product in the same "
            f"store: it has one {field} there, so neither row is imported"
        )
    return (
        f"is {own_text} here and {other_text} on line {other_line}, for the same product: "
        f"a product has one {field}, so neither row is imported"
    )


# One pass over the rows: a file without contradictions costs no more than that. Prices may differ by store.
_COLLECT_DISPUTED = text(
    """
    CREATE TEMPORARY TABLE import_disputed ON COMMIT DROP AS
    SELECT * FROM (
        SELECT sku,
            min(base_price) <> max(base_price) AS base_price,
            (min(coalesce(unit_cost, -1)) FILTER (WHERE unit_cost_given)
                <> max(coalesce(unit_cost, -1)) FILTER (WHERE unit_cost_given)) IS TRUE AS unit_cost,
            min(category_key COLLATE "C") <> max(category_key COLLATE "C") AS category,
            min(unit) <> max(unit) AS unit,
            min(name COLLATE "C") <> max(name COLLATE "C") AS name,
            bool_or(unit_cost_given) <> bool_and(unit_cost_given) AS cost_partly_given,
            max(unit_cost) AS cost
        FROM pg_temp.import_rows
        WHERE name IS NOT NULL
        GROUP BY sku
    ) AS products
    WHERE base_price OR unit_cost OR category OR unit OR name OR cost_partly_given
    """
)

# A row without a cost takes the cost of its product's other rows.
_COMPLETE_COSTS = text(
    """
    UPDATE pg_temp.import_rows AS staged
    SET unit_cost = disputed.cost, unit_cost_given = true
    FROM pg_temp.import_disputed AS disputed
    WHERE disputed.sku = staged.sku AND disputed.cost_partly_given AND NOT staged.unit_cost_given
    """
)

# Each row names the first row that differs from it: the product's first row, or the first that differs from
# that one.
_REMOVE_CONTRADICTORY = text(
    """
    WITH candidates AS (
        SELECT staged.line, staged.sku, staged.store_id, staged.base_price, staged.category,
            staged.category_key, staged.unit_cost, staged.unit_cost_given, staged.unit,
            first_value(staged.line) OVER by_unit AS first_unit_line,
            first_value(staged.unit) OVER by_unit AS first_unit,
            first_value(staged.line) OVER by_cost AS first_cost_line,
            first_value(staged.line) OVER of_product AS first_line,
            first_value(staged.line) OVER by_store AS first_price_line,
            first_value(staged.base_price) OVER by_store AS first_price,
            disputed.unit_cost OR disputed.category OR disputed.unit AS is_disputed,
            first_value(staged.unit_cost) OVER by_cost AS first_cost,
            first_value(staged.category_key) OVER of_product AS first_key
        FROM pg_temp.import_rows AS staged
        JOIN pg_temp.import_disputed AS disputed USING (sku)
        WHERE staged.name IS NOT NULL AND (
            disputed.base_price OR disputed.unit_cost OR disputed.category OR disputed.unit
        )
        WINDOW of_product AS (PARTITION BY sku ORDER BY staged.line),
            by_store AS (PARTITION BY sku, staged.store_id ORDER BY staged.line),
            by_cost AS (PARTITION BY sku ORDER BY staged.unit_cost_given DESC, staged.line),
            by_unit AS (PARTITION BY sku ORDER BY staged.unit IS NULL, staged.line)
    ),
    others AS (
        SELECT candidates.*,
            CASE WHEN base_price <> first_price THEN first_price_line
                ELSE min(line) FILTER (WHERE base_price <> first_price) OVER (PARTITION BY sku, store_id)
            END AS price_line,
            CASE WHEN NOT unit_cost_given THEN NULL
                WHEN unit_cost IS DISTINCT FROM first_cost THEN first_cost_line
                ELSE min(line) FILTER (WHERE unit_cost_given AND unit_cost IS DISTINCT FROM first_cost)
                    OVER (PARTITION BY sku)
            END AS cost_line,
            CASE WHEN category_key <> first_key THEN first_line
                ELSE min(line) FILTER (WHERE category_key <> first_key) OVER (PARTITION BY sku)
            END AS category_line,
            CASE WHEN unit <> first_unit THEN first_unit_line
                WHEN unit IS NOT NULL THEN min(line) FILTER (WHERE unit <> first_unit) OVER (PARTITION BY sku)
            END AS unit_line
        FROM candidates
    ),
    compared AS (
        SELECT others.line,
            others.base_price, others.price_line, by_price.base_price AS other_price,
            others.unit_cost, others.cost_line, by_cost.unit_cost AS other_cost,
            others.category, others.category_line, by_category.category AS other_category,
            others.unit::text, others.unit_line, by_unit.unit::text AS other_unit
        FROM others
        LEFT JOIN pg_temp.import_rows AS by_price ON by_price.line = others.price_line
        LEFT JOIN pg_temp.import_rows AS by_cost ON by_cost.line = others.cost_line
        LEFT JOIN pg_temp.import_rows AS by_category ON by_category.line = others.category_line
        LEFT JOIN pg_temp.import_rows AS by_unit ON by_unit.line = others.unit_line
        WHERE others.is_disputed OR others.price_line IS NOT NULL
    ),
    removed AS (
        DELETE FROM pg_temp.import_rows AS staged USING compared WHERE staged.line = compared.line
    )
    SELECT * FROM compared ORDER BY line
    """
)

# A DELETE: a streamed SELECT keeps its tables in use until the transaction ends.
_RENAMED = text(
    """
    DELETE FROM pg_temp.import_disputed AS disputed
    USING (
        SELECT last.sku, last.line, max(staged.line) AS other_line
        FROM (
            SELECT DISTINCT ON (sku) line, sku, staged.name
            FROM pg_temp.import_rows AS staged
            JOIN pg_temp.import_disputed AS disputed USING (sku)
            WHERE disputed.name AND staged.name IS NOT NULL
            ORDER BY sku, line DESC
        ) AS last
        JOIN pg_temp.import_rows AS staged ON staged.sku = last.sku AND staged.name <> last.name
        GROUP BY last.sku, last.line
    ) AS renamed
    WHERE renamed.sku = disputed.sku
    RETURNING renamed.line, renamed.other_line
    """
)
