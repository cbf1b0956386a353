"""The price timeline of a product: every step of each batch in a store, with its reason."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.partitions import ensure_partitions
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.errors import NotFound
from flexiprice.pricing.price_timeline import get_price_steps
from flexiprice.pricing.recompute import recompute_all_discounts
from tests.support.builders import DAY, NOON, a_batch, a_product, a_store, an_active_policy

_ONE = timedelta(days=1)
_POLICY: dict[str, object] = {
    "rules": [
        {"name": "last day", "days_to_expiry": {"max": 0}, "discount": "0.50"},
        {"name": "soon", "days_to_expiry": {"max": 1}, "discount": "0.20"},
    ]
}


@pytest.fixture
async def bread(session: AsyncSession) -> AsyncSession:
    """Bread that is reduced twice and expires, day by day; and things beside it."""
    await ensure_partitions(session, now=NOON)
    await an_active_policy(session, _POLICY)
    await a_store(session, "east", "UTC")
    product = await a_product(session, base_price="4.00", sku="BREAD")
    await a_batch(session, product, expiry_date=DAY)
    await a_batch(session, product, expiry_date=DAY, store="east")
    await a_batch(session, await a_product(session), expiry_date=DAY)
    for days in (-1, 0, 1):
        await recompute_all_discounts(session, now=NOON + days * _ONE, days_threshold=30)
    return session


async def test_each_step_tells_from_what_to_what_price_and_why(bread: AsyncSession) -> None:
    found = await get_price_steps(bread, sku="BREAD", store="main", since=NOON - 9 * _ONE)
    assert (found.sku, found.store, found.base_price, found.complete) == (
        "BREAD",
        "main",
        Decimal("4.00"),
        True,
    )
    closed, changed, opened = found.steps
    assert [step.decided_at for step in found.steps] == [NOON + _ONE, NOON, NOON - _ONE]
    assert (opened.kind, opened.previous_price, opened.price) == (
        DecisionKind.OPENED,
        Decimal("4.00"),
        Decimal("3.20"),
    )
    assert (changed.kind, changed.rule, changed.rate) == (DecisionKind.CHANGED, "last day", Decimal("0.5000"))
    assert (changed.previous_price, changed.price) == (Decimal("3.20"), Decimal("2.00"))
    assert (closed.close_reason, closed.price) == (CloseReason.EXPIRED, Decimal("4.00"))
    assert (closed.rate, closed.rule) == (None, None)


async def test_only_steps_of_the_window_are_told_and_unknown_names_are_refused(bread: AsyncSession) -> None:
    later = await get_price_steps(bread, sku="BREAD", store="east", since=NOON)
    assert [step.decided_at for step in later.steps] == [NOON + _ONE, NOON]
    with pytest.raises(NotFound):
        await get_price_steps(bread, sku="CAKE", store="main", since=NOON)
    with pytest.raises(NotFound):
        await get_price_steps(bread, sku="BREAD", store="west", since=NOON)
