"""The GTINs of products: which product has one, and which ones a product has."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ScalarSelect, delete, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, array, insert
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.gtin_tables import ProductGtin
from flexiprice.db.tables import Product
from flexiprice.domain.quantity import Unit
from flexiprice.errors import Conflict, NotFound


def gtins_of_product() -> ScalarSelect[Sequence[str]]:
    """Returns a subquery of a product's GTINs in order, for a query of products."""
    ordered = func.array_agg(aggregate_order_by(ProductGtin.gtin, ProductGtin.gtin))
    return (
        select(func.coalesce(ordered, array([], type_=ProductGtin.gtin.type)))
        .where(ProductGtin.product_id == Product.id)
        .correlate(Product)
        .scalar_subquery()
    )


async def set_gtins(session: AsyncSession, product_id: int, gtins: Iterable[str]) -> None:
    """Gives a product exactly these GTINs.

    Raises:
        Conflict: another product has one of them.
    """
    wanted = sorted(set(gtins))
    others = ProductGtin.product_id == product_id, ProductGtin.gtin.not_in(wanted)
    await session.execute(delete(ProductGtin).where(*others))
    if not wanted:
        return
    await session.execute(
        insert(ProductGtin)
        .values([{"gtin": gtin, "product_id": product_id} for gtin in wanted])
        .on_conflict_do_nothing()
    )
    taken = (
        select(ProductGtin.gtin, Product.sku)
        .join(Product, Product.id == ProductGtin.product_id)
        .where(ProductGtin.gtin.in_(wanted), ProductGtin.product_id != product_id)
        .order_by(ProductGtin.gtin)
        .limit(1)
    )
    if (row := (await session.execute(taken)).one_or_none()) is not None:
        raise gtin_taken(*row)


async def require_product(session: AsyncSession, gtin: str) -> tuple[int, str, Unit]:
    """Returns id, SKU and unit of the product that has a GTIN, and locks it against deletion.

    Raises:
        NotFound: no product has it.
    """
    row = (
        await session.execute(
            select(Product.id, Product.sku, Product.unit)
            .join(ProductGtin, ProductGtin.product_id == Product.id)
            .where(ProductGtin.gtin == gtin)
            .with_for_update(of=Product, read=True, key_share=True)
        )
    ).one_or_none()
    if row is None:
        raise NotFound(
            f"no product has the GTIN {gtin}: add it to the gtins of its product (PATCH "
            "/api/v1/admin/products/SKU), or import a file with the columns sku and gtin",
            field="code",
        )
    return row[0], row[1], row[2]


def gtin_taken(gtin: str, sku: str) -> Conflict:
    """Returns the error for a GTIN that another product has."""
    return Conflict(f"the product {sku!r} has the GTIN {gtin} already", field="gtins")
