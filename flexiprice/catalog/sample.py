"""The sample catalogue: a small supermarket whose expiry dates are relative to the day of loading."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter
from sqlalchemy import BindParameter, Date, Numeric, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.quantity_type import QuantityType
from flexiprice.db.tables import MAIN_STORE, Product
from flexiprice.domain.category import category_key
from flexiprice.domain.quantity import Quantity, Unit


class SampleProduct(BaseModel):
    """A product of the sample; `batches` maps days to expiry to quantities in `unit`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: str
    name: str
    price: Decimal
    cost: Decimal
    keeps_days: int
    unit: Unit = Unit.EACH
    batches: dict[int, Quantity]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSummary:
    """Counts of the loaded sample."""

    products: int
    categories: int
    batches: int


@cache
def sample_products() -> dict[str, tuple[SampleProduct, ...]]:
    """Returns the sample's products by category."""
    document = files("flexiprice.catalog").joinpath("sample.yaml").read_text(encoding="utf-8")
    return TypeAdapter(dict[str, tuple[SampleProduct, ...]]).validate_python(yaml.safe_load(document))


async def load_sample_catalog(session: AsyncSession, *, today: date) -> SampleSummary:
    """Loads the sample into the store `main`, or resets its dates and quantities relative to `today`.

    Idempotent: the sample's batches are identified by lot. Existing products stay unchanged, so a price that
    a user changed while experimenting is kept.

    Args:
        session: in a transaction.
        today: the day to which expiry dates are relative.
    """
    categories = sample_products()
    products = [(category, product) for category, members in categories.items() for product in members]
    await session.execute(
        _INSERT_PRODUCTS,
        {
            "skus": [product.sku for _, product in products],
            "names": [product.name for _, product in products],
            "categories": [category for category, _ in products],
            "keys": [category_key(category) for category, _ in products],
            "prices": [product.price for _, product in products],
            "costs": [product.cost for _, product in products],
            "units": [product.unit for _, product in products],
        },
    )
    batches = [
        (product.sku, f"DEMO-{number}", today + timedelta(days=days), quantity)
        for _, product in products
        for number, (days, quantity) in enumerate(product.batches.items(), start=1)
    ]
    skus, lots, dates, quantities = zip(*batches, strict=True)
    await session.execute(
        _PUT_BATCHES,
        {
            "store": MAIN_STORE,
            "skus": list(skus),
            "lots": list(lots),
            "dates": list(dates),
            "quantities": list(quantities),
        },
    )
    return SampleSummary(products=len(products), categories=len(categories), batches=len(batches))


def _arrays(**types: type[String | Date | Numeric[Decimal] | QuantityType]) -> list[BindParameter[object]]:
    return [bindparam(name, type_=ARRAY(kind)) for name, kind in types.items()]


_INSERT_PRODUCTS = text(
    """
    INSERT INTO products (sku, name, category, category_key, base_price, unit_cost, unit)
    SELECT * FROM unnest(:skus, :names, :categories, :keys, :prices, :costs, :units)
    ON CONFLICT (sku) DO NOTHING
    """
).bindparams(
    *_arrays(skus=String, names=String, categories=String, keys=String, prices=Numeric, costs=Numeric),
    bindparam("units", type_=ARRAY(Product.unit.type)),
)

_PUT_BATCHES = text(
    """
    WITH wanted AS (
        SELECT stores.id AS store_id, products.id AS product_id, lot, expiry_date, quantity
        FROM unnest(:skus, :lots, :dates, :quantities) AS sample (sku, lot, expiry_date, quantity)
        JOIN products USING (sku)
        JOIN stores ON stores.code = :store
    ),
    refreshed AS (
        UPDATE batches
        SET expiry_date = wanted.expiry_date, quantity = wanted.quantity, updated_at = now()
        FROM wanted
        WHERE batches.store_id = wanted.store_id
            AND batches.product_id = wanted.product_id
            AND batches.lot = wanted.lot
            AND (batches.expiry_date, batches.quantity) IS DISTINCT FROM (wanted.expiry_date, wanted.quantity)
    )
    INSERT INTO batches (store_id, product_id, lot, expiry_date, quantity)
    SELECT store_id, product_id, lot, expiry_date, quantity
    FROM wanted
    WHERE NOT EXISTS (
        SELECT FROM batches
        WHERE batches.store_id = wanted.store_id
            AND batches.product_id = wanted.product_id
            AND batches.lot = wanted.lot
    )
    """
).bindparams(*_arrays(skus=String, lots=String, dates=Date, quantities=QuantityType))
