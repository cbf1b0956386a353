"""`/products/{sku}/price` and its history: public, for tills, shelf labels and shops; reveals no costs."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import OpenResources, SkuPath, Transaction
from api.openapi import problems
from api.route_class import ProblemRoute
from api.schemas.prices import (
    BasePriceOut,
    BatchPriceOut,
    PriceHistoryOut,
    PricePointOut,
    ProductPriceOut,
    ReductionOut,
)
from flexiprice.db.clock import DATABASE_NOW, database_now
from flexiprice.db.tables import MAIN_STORE
from flexiprice.domain.catalog import CalendarDate, StoreCode
from flexiprice.errors import InvalidInput
from flexiprice.pricing.current_prices import get_price
from flexiprice.pricing.price_history import get_price_history

router = APIRouter(prefix="/products", tags=["prices"], route_class=ProblemRoute)

InStore = Annotated[StoreCode, Query(description="Code of the store.")]
Day = CalendarDate | None


# A SKU may contain a slash.
@router.get("/{sku:path}/price", responses=problems(404, 503))
async def get_product_price(
    resources: OpenResources, transaction: Transaction, sku: SkuPath, store: InStore = MAIN_STORE
) -> ProductPriceOut:
    """Reads the current price of a product in a store, with the price of each batch and its reason."""
    async with transaction() as session:
        price = await get_price(session, sku=sku, store=store, now=DATABASE_NOW)
    return ProductPriceOut(
        sku=price.sku,
        store=price.store,
        currency=resources.settings.currency,
        base_price=price.base_price,
        lowest_price=price.lowest_price,
        reduction=ReductionOut.of(price.reduction) if price.reduction else None,
        batches=[BatchPriceOut.of(batch) for batch in price.batches],
    )


@router.get("/{sku:path}/price-history", responses=problems(404, 503))
async def get_product_price_history(
    *,
    resources: OpenResources,
    transaction: Transaction,
    sku: SkuPath,
    store: InStore = MAIN_STORE,
    start: Annotated[Day, Query(alias="from", description="First day, in the store's time zone.")] = None,
    end: Annotated[Day, Query(alias="to", description="Last day, in the store's time zone.")] = None,
) -> PriceHistoryOut:
    """Reads the history of a product's lowest price, and the lowest price of the last 30 days."""
    if start is not None and end is not None and start > end:
        raise InvalidInput("from: must not be after to", field="from")
    async with transaction() as session:
        now = await database_now(session)
        history = await get_price_history(session, sku=sku, store=store, now=now, start=start, end=end)
    return PriceHistoryOut(
        sku=history.sku,
        store=history.store,
        currency=resources.settings.currency,
        lowest_30_days=history.lowest_30_days,
        reduction=ReductionOut.of(history.reduction) if history.reduction else None,
        base_prices=[BasePriceOut.of(period) for period in history.base_prices],
        snapshots=[PricePointOut.of(point) for point in history.snapshots],
    )
