"""How the prices of a product's batches went, step by step, each with its reason."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.products import get_product
from flexiprice.catalog.stores import get_store
from flexiprice.db.tables import Batch, PriceDecision, Product, Store
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.prior_price import PricePeriod
from flexiprice.domain.quote import Limit
from flexiprice.pricing.price_periods import read_base_prices
from flexiprice.pricing.sql.values import limits_of

MAX_STEPS: Final = 1_000
"""Steps that are read at once at most: the latest ones."""


@dataclass(frozen=True, slots=True)
class PriceStep:
    """A moment at which the price of a batch changed, and why.

    Attributes:
        batch_id: the batch.
        lot: tells batches apart.
        expiry_date: the last day of sale that it was decided on.
        decided_at: when.
        kind: the discount opened, changed or closed.
        close_reason: why it closed; None unless it did.
        price: from then on; the base price where the discount closed.
        previous_price: until then; the base price where the discount opened.
        base_price: the product's, then.
        rate: the discount rate that the price gives; None where it closed.
        rule: the rule that decided; None where it closed, or was held though no rule matched.
        limits: what else shaped the price.
        policy_version: the policy that decided.
        days_to_expiry: as it was decided on.
        quantity: likewise.
    """

    batch_id: int
    lot: str
    expiry_date: date
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
    days_to_expiry: int
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductSteps:
    """The steps of a product's prices in a store.

    Attributes:
        sku: the product.
        product: its name.
        category: its category.
        store: the store's code.
        base_price: now.
        base_prices: in force since then, the oldest first; of earlier times none is known.
        steps: the latest first.
        complete: false where there are more than `MAX_STEPS`.
    """

    sku: str
    product: str
    category: str
    store: str
    base_price: Decimal
    base_prices: tuple[PricePeriod, ...]
    steps: tuple[PriceStep, ...]
    complete: bool


async def get_price_steps(session: AsyncSession, *, sku: str, store: str, since: datetime) -> ProductSteps:
    """How the prices of a product's batches in a store went; of batches that still exist.

    Args:
        session: in a transaction.
        sku: the product.
        store: the store's code.
        since: only steps at this instant or later; others are not read.

    Raises:
        NotFound: there is no such product or store.
    """
    product, shop = await get_product(session, sku), await get_store(session, store)
    product_id = await session.scalar(select(Product.id).where(Product.sku == product.sku))
    # The ledger is found by batch: it has no index by product.
    own = (
        select(Batch.id, Batch.lot)
        .where(
            Batch.product_id == product_id,
            Batch.store_id == select(Store.id).where(Store.code == shop.code).scalar_subquery(),
        )
        .subquery()
    )
    query = (
        select(
            PriceDecision.batch_id,
            own.c.lot,
            PriceDecision.expiry_date,
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
            PriceDecision.days_to_expiry,
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
        base_price=product.base_price,
        base_prices=await read_base_prices(session, product_id=product_id or 0, since=since),
        steps=steps[:MAX_STEPS],
        complete=len(steps) <= MAX_STEPS,
    )
