"""Queries of the prices page, and the stock figures of the overview."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from flexiprice.catalog.products import ProductRecord, list_products
from flexiprice.catalog.stores import StoreRecord, list_stores
from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.domain.rule_coverage import horizon_of
from flexiprice.pricing.policy_versions import PolicyVersion, get_active_policy
from flexiprice.pricing.preview import RecomputePreview, preview_recompute
from flexiprice.pricing.price_history import PriceHistory, get_price_history
from flexiprice.pricing.price_timeline import ProductSteps, get_price_steps
from flexiprice.pricing.stock_figures import StockFigures, list_stock_figures
from flexiprice.pricing.stock_value import (
    ExpiringStock,
    ReducedStock,
    list_expiring_stock,
    list_reduced_stock,
)
from flexiprice.resources import Resources

HORIZON: Final = 14
"""Largest number of days to expiry in the heat map."""
STEPS_SHOWN: Final = timedelta(days=60)
LISTED_CHANGES: Final = 50
_FOUND_PRODUCTS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOverview:
    """Open discounts, expiring stock, and the active policy.

    Attributes:
        reduced: open discounts by store and category.
        expiring: stock by days to expiry.
        policy: the active policy.
        stores: all stores.
    """

    reduced: tuple[ReducedStock, ...]
    expiring: tuple[ExpiringStock, ...]
    policy: PolicyVersion
    stores: Sequence[StoreRecord]


async def read_prices(resources: Resources) -> PriceOverview:
    """Reads open discounts, expiring stock, and the active policy.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer.
    """
    with database_errors():
        async with resources.sessions() as session:
            now = await database_now(session)
            return PriceOverview(
                reduced=await list_reduced_stock(session, now=now),
                expiring=await list_expiring_stock(session, now=now, horizon=HORIZON),
                policy=await get_active_policy(session),
                stores=await list_stores(session),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StockSummary:
    """Figures of the stock.

    Attributes:
        horizon: days to expiry up to which stock is at risk.
        policy_version: version of the policy with this horizon.
        stores: figures of each store that has stock, the highest value at risk first.
    """

    horizon: int
    policy_version: int
    stores: tuple[StockFigures, ...]


async def read_stock(resources: Resources) -> StockSummary:
    """Reads figures of the stock; stock within the discount horizon of the active policy is at risk.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer.
    """
    with database_errors():
        async with resources.sessions() as session:
            active = await get_active_policy(session)
            horizon = horizon_of(active.policy, at_most=resources.settings.days_threshold)
            return StockSummary(
                horizon=horizon,
                policy_version=active.version,
                stores=await list_stock_figures(session, now=await database_now(session), horizon=horizon),
            )


async def find_products(resources: Resources, text: str) -> tuple[ProductRecord, ...]:
    """Finds products whose SKU or name contains a text.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer.
    """
    with database_errors():
        async with resources.sessions() as session:
            return await list_products(session, search=text, limit=_FOUND_PRODUCTS)


async def read_product(
    resources: Resources, *, sku: str, store: str
) -> tuple[ProductSteps, PriceHistory, datetime]:
    """Reads the price steps, lowest price and prior price of a product in a store, and the current instant.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer.
        NotFound: there is no such product or store.
    """
    with database_errors():
        async with resources.sessions() as session:
            now = await database_now(session)
            steps = await get_price_steps(session, sku=sku, store=store, since=now - STEPS_SHOWN)
            return steps, await get_price_history(session, sku=sku, store=store, now=now), now


async def read_preview(resources: Resources, *, days_threshold: int) -> RecomputePreview:
    """Computes the changes that a recompute would make now, and writes none.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer.
    """
    with database_errors():
        # The transaction ends without a commit.
        async with resources.sessions() as session:
            return await preview_recompute(
                session, now=await database_now(session), days_threshold=days_threshold, limit=LISTED_CHANGES
            )
