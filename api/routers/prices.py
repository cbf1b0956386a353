"""`/products/{sku}/price` and its history: public, for tills, shelf labels and shops; reveals no costs."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import OpenResources, SkuPath, Transaction
from api.openapi import problems
from api.route_class import ProblemRoute
from api.schemas.prices import (
    BasePriceShown,
    BatchPriceShown,
    PriceHistoryShown,
    PricePointShown,
    ProductPriceShown,
    ReductionShown,
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
) -> ProductPriceShown:
    """Reads the current price of a product in a store, with the price of each batch and its reason."""
    async with transaction() as session:
        price = await get_price(session, sku=sku, store=store, now=DATABASE_NOW)
    return ProductPriceShown(
        sku=price.sku,
        store=price.store,
        currency=resources.settings.currency,
        base_price=price.base_price,
        lowest_price=price.lowest_price,
        reduction=ReductionShown.of(price.reduction) if price.reduction else None,
        batches=[BatchPriceShown.of(batch) for batch in price.batches],
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
) -> PriceHistoryShown:
    """Reads the history of a product's lowest price, and the lowest price of the last 30 days."""
    if start is not None and end is not None and start > end:
        raise InvalidInput("from: must not be after to", field="from")
    async with transaction() as session:
        now = await database_now(session)
        history = await get_price_history(session, sku=sku, store=store, now=now, start=start, end=end)
    return PriceHistoryShown(
        sku=history.sku,
        store=history.store,
        currency=resources.settings.currency,
        lowest_30_days=history.lowest_30_days,
        reduction=ReductionShown.of(history.reduction) if history.reduction else None,
        base_prices=[BasePriceShown.of(period) for period in history.base_prices],
        snapshots=[PricePointShown.of(point) for point in history.snapshots],
    )
