"""The price timeline of a product's batches: each price change with its reason."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.batch_identity import if_dated
from flexiprice.catalog.products import get_product
from flexiprice.catalog.store_prices import base_price, of_store
from flexiprice.catalog.stores import get_store
from flexiprice.db.store_price_tables import StorePrice
from flexiprice.db.tables import Batch, PriceDecision, Product, Store
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.prior_price import PricePeriod
from flexiprice.domain.quantity import Unit
from flexiprice.domain.quote import Limit
from flexiprice.pricing.price_periods import read_base_prices
from flexiprice.pricing.sql.values import limits_of

MAX_STEPS: Final = 1_000
"""The maximum number of steps; the latest are kept."""


@dataclass(frozen=True, slots=True)
class PriceStep:
    """A price change of a batch, with its reason.

    Attributes:
        batch_id: the batch.
        lot: of the batch; may be empty.
        expiry_date: the last day of sale at the decision; None of goods without one.
        decided_at: the instant of the decision.
        kind: whether the discount opened, changed or closed.
        close_reason: the reason why it closed; None unless it did.
        price: the price after it; the base price where the discount closed.
        previous_price: the price before it; the base price where the discount opened.
        base_price: of the product at the decision.
        rate: the effective discount rate; None where it closed.
        rule: the deciding rule; None where it closed, or where a price was held though no rule matched.
        limits: the limits that changed the outcome.
        policy_version: the policy version of the decision.
        days_to_expiry: at the decision.
        quantity: at the decision.
    """

    batch_id: int
    lot: str
    expiry_date: date | None
    decided_at: datetime
    kind: DecisionKind
    close_reason: CloseReason | None
    price: Decimal
    previous_price: Decimal
    base_price: Decimal
    rate: Decimal | None
    rule: str | None
    limits: tuple[Limit, ...]
    policy_version: int
    days_to_expiry: int | None
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductSteps:
    """The price steps of a product in a store.

    Attributes:
        sku: of the product.
        product: name of the product.
        category: of the product.
        store: the store's code.
        unit: of the product; prices are those of one unit.
        base_price: the current base price in the store.
        base_prices: base prices since the requested instant, the oldest first, as far as known.
        steps: the latest first.
        complete: whether all steps are included; false if there are more than `MAX_STEPS`.
    """

    sku: str
    product: str
    category: str
    store: str
    unit: Unit
    base_price: Decimal
    base_prices: tuple[PricePeriod, ...]
    steps: tuple[PriceStep, ...]
    complete: bool


async def get_price_steps(session: AsyncSession, *, sku: str, store: str, since: datetime) -> ProductSteps:
    """Returns the price steps of a product in a store, for batches that still exist.

    Args:
        session: in a transaction.
        sku: the product.
        store: the store's code.
        since: only steps at this instant or later.

    Raises:
        NotFound: the product or the store does not exist.
    """
    product, shop = await get_product(session, sku), await get_store(session, store)
    found = (
        select(Product.id, Store.id, base_price())
        .select_from(Product)
        .join(Store, Store.code == shop.code)
        .outerjoin(StorePrice, of_store(Product.id, Store.id))
        .where(Product.sku == product.sku)
    )
    product_id, store_id, price = (await session.execute(found)).one()
    # The ledger has an index by batch, none by product.
    own = (
        select(Batch.id, Batch.lot)
        .where(
            Batch.product_id == product_id,
            Batch.store_id == store_id,
        )
        .subquery()
    )
    query = (
        select(
            PriceDecision.batch_id,
            own.c.lot,
            if_dated(PriceDecision.expiry_date, PriceDecision.expiry_date),
            PriceDecision.decided_at,
            PriceDecision.kind,
            PriceDecision.close_reason,
            func.coalesce(PriceDecision.price, PriceDecision.base_price),
            func.coalesce(PriceDecision.previous_price, PriceDecision.base_price),
            PriceDecision.base_price,
            PriceDecision.rate,
            PriceDecision.rule,
            limits_of(PriceDecision.limits),
            PriceDecision.policy_version,
            if_dated(PriceDecision.expiry_date, PriceDecision.days_to_expiry),
            PriceDecision.quantity,
        )
        .join(own, own.c.id == PriceDecision.batch_id)
        .where(PriceDecision.decided_at >= since)
        .order_by(PriceDecision.decided_at.desc(), PriceDecision.id.desc())
        .limit(MAX_STEPS + 1)
    )
    steps = tuple(PriceStep(*row) for row in await session.execute(query))
    return ProductSteps(
        sku=product.sku,
        product=product.name,
        category=product.category,
        store=shop.code,
        unit=product.unit,
        base_price=price,
        base_prices=await read_base_prices(session, product_id=product_id, store_id=store_id, since=since),
        steps=steps[:MAX_STEPS],
        complete=len(steps) <= MAX_STEPS,
    )
