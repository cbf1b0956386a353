"""The numbers of the overview: one query agrees with a count by hand."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from api.monitor.queries.prices import read_stock
from flexiprice.db.tables import Product
from flexiprice.pricing.recompute import recompute_all_discounts
from flexiprice.pricing.stock_figures import StockFigures, list_stock_figures, of_all_stores
from flexiprice.resources import open_resources
from flexiprice.settings import Settings
from tests.support.builders import DAY, NOON, a_batch, a_product, a_store, an_active_policy
from tests.support.statements import statements_of

_ONE = timedelta(days=1)


@pytest.fixture
async def bread(session: AsyncSession) -> int:
    """A product of two stores, in one of which it is the next day already; half off on the last day."""
    await an_active_policy(session)
    await a_store(session, "kiritimati", "Pacific/Kiritimati")
    bread = await a_product(session, base_price="4.00")
    milk = await a_product(session, base_price="2.00")
    await a_batch(session, bread, quantity=10)
    await a_batch(session, milk, quantity=3, expiry_date=DAY + 2 * _ONE)
    await a_batch(session, milk, quantity=0)
    await a_batch(session, milk, quantity=9, expiry_date=DAY + 6 * _ONE)
    # Here it is the eleventh already, the last day of sale.
    await a_batch(session, bread, quantity=7, store="kiritimati")
    await a_batch(session, bread, quantity=5, expiry_date=DAY + _ONE, store="kiritimati")
    await a_batch(session, milk, quantity=4, expiry_date=DAY + 6 * _ONE, store="kiritimati")
    await a_batch(session, milk, quantity=1, expiry_date=DAY + 7 * _ONE, store="kiritimati")
    await recompute_all_discounts(session, now=NOON, days_threshold=30)
    return bread


@pytest.mark.usefixtures("bread")
async def test_each_stores_figures_follow_its_own_date_and_come_by_one_query(session: AsyncSession) -> None:
    async with statements_of(session) as statements:
        figures = await list_stock_figures(session, now=NOON, horizon=5)
    assert len(statements) == 1
    main = StockFigures(
        store="main",
        at_risk=Decimal("46.00"),
        discounts=1,
        reduced_by=Decimal("20.00"),
        last_day=Decimal("20.00"),
    )
    kiritimati = StockFigures(
        store="kiritimati",
        at_risk=Decimal("28.00"),
        discounts=1,
        reduced_by=Decimal("10.00"),
        last_day=Decimal("10.00"),
    )
    assert figures == (main, kiritimati)
    assert of_all_stores(figures) == StockFigures(
        at_risk=Decimal("74.00"), discounts=2, reduced_by=Decimal("30.00"), last_day=Decimal("30.00")
    )


@pytest.mark.usefixtures("bread")
async def test_a_discount_counts_however_near_the_horizon_is(session: AsyncSession) -> None:
    # A day earlier in Greenwich, the bread there has a day left; its discount is open all the same.
    kiritimati, main = await list_stock_figures(session, now=NOON - _ONE, horizon=0)
    assert (kiritimati.store, kiritimati.at_risk, kiritimati.discounts) == ("kiritimati", Decimal("28.00"), 1)
    assert (main.store, main.at_risk, main.discounts, main.last_day) == ("main", Decimal(0), 1, Decimal(0))


async def test_a_base_price_below_an_open_discount_is_the_price(session: AsyncSession, bread: int) -> None:
    await session.execute(update(Product).where(Product.id == bread).values(base_price=Decimal("1.50")))
    figures = of_all_stores(await list_stock_figures(session, now=NOON, horizon=0))
    assert (figures.discounts, figures.reduced_by) == (0, Decimal(0))
    assert figures.at_risk == figures.last_day == Decimal("22.50")


async def test_without_stock_there_are_no_stores_and_every_number_is_nought(session: AsyncSession) -> None:
    figures = await list_stock_figures(session, now=NOON, horizon=30)
    assert figures == ()
    assert of_all_stores(figures) == StockFigures()


async def test_the_horizon_is_that_of_the_active_policy(settings: Settings) -> None:
    async with open_resources(settings, program="flexiprice-tests") as resources:
        async with resources.sessions.begin() as session:
            version = await an_active_policy(
                session,
                {"rules": [{"name": "soon", "days_to_expiry": {"max": 4}, "discount": "0.10"}]},
            )
        read = await read_stock(resources)
    assert (read.horizon, read.policy_version, read.stores) == (4, version, ())
