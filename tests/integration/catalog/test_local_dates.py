"""Expiry and days to expiry follow each store's own date."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from flexiprice.catalog.batches import BatchFilter, create_batch, list_batches
from flexiprice.catalog.products import create_product
from flexiprice.catalog.stores import create_store
from flexiprice.domain.policy import parse_policy
from flexiprice.pricing.current_prices import get_price
from flexiprice.pricing.discounts import DiscountOrder, list_open_discounts
from flexiprice.pricing.policy_versions import activate_policy, create_policy
from flexiprice.pricing.recompute import recompute_all_discounts

NOON = datetime(2025, 3, 9, 12, tzinfo=UTC)
# 23:30 on the 9th in UTC: the 10th in Tokyo, the 9th in Los Angeles.
NOW = datetime(2025, 3, 9, 23, 30, tzinfo=UTC)
LAST_DAY = date(2025, 3, 9)


@pytest.fixture
async def ids(session) -> dict[str, int]:
    """The same batch in two stores, discounted at noon, and soon on either side of midnight."""
    policy = {"rules": [{"name": "last day", "days_to_expiry": {"max": 0}, "discount": "0.8"}]}
    version = await create_policy(session, parse_policy(policy))
    await activate_policy(session, version.version, now=NOON)
    await create_product(session, sku="A", name="A", category="Dairy", base_price=Decimal("2.00"))
    found = {}
    for code, zone in (("tokyo", "Asia/Tokyo"), ("angeles", "America/Los_Angeles")):
        await create_store(session, code=code, time_zone=zone)
        batch = await create_batch(
            session, store=code, sku="A", lot="", expiry_date=LAST_DAY, quantity=3, now=NOON
        )
        found[code] = batch.batch_id
    await recompute_all_discounts(session, now=NOON)
    return found


async def test_days_to_expiry_are_counted_from_the_stores_own_date(session, ids):
    days = {
        batch.store: batch.days_to_expiry for batch in await list_batches(session, BatchFilter(), now=NOW)
    }
    assert days == {"tokyo": -1, "angeles": 0}
    soon = await list_batches(session, BatchFilter(expiring_within=0), now=NOW)
    assert [batch.store for batch in soon] == ["angeles"]


@pytest.mark.parametrize("order", DiscountOrder)
async def test_a_discount_whose_batch_has_expired_in_its_store_is_not_in_force_there(session, ids, order):
    [discount] = await list_open_discounts(session, now=NOW, order=order)
    assert (discount.batch_id, discount.days_to_expiry) == (ids["angeles"], 0)
    assert [limit.value for limit in discount.limits] == ["max_discount"]
    assert await list_open_discounts(session, now=NOW, store="tokyo", order=order) == ()


async def test_an_expired_batch_has_no_price_in_its_store(session, ids):
    here = await get_price(session, sku="A", store="angeles", now=NOW)
    assert (here.lowest_price, [batch.batch_id for batch in here.batches]) == (
        Decimal("0.60"),
        [ids["angeles"]],
    )
    there = await get_price(session, sku="A", store="tokyo", now=NOW)
    assert (there.lowest_price, there.batches) == (Decimal("2.00"), ())
