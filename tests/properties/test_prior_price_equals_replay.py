"""Lowest and prior prices agree with a replay of everything that happened, minute by minute.

Base prices, stock and policies of a product in two stores move at random instants; what the services say then
is compared with an oracle that only wrote down, at each event, what every batch of each store cost.
"""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random, SystemRandom

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.store_prices import apply_price_list
from flexiprice.db.base_price_tables import BasePrice
from flexiprice.db.partitions import ensure_partitions
from flexiprice.db.store_price_tables import PriceListEntry, StorePrice
from flexiprice.db.tables import Batch, Discount, Product, Store
from flexiprice.pricing.batch_deletion import delete_batch
from flexiprice.pricing.current_prices import get_price
from flexiprice.pricing.price_history import get_price_history
from flexiprice.pricing.recompute import recompute_all_discounts
from tests.support.builders import a_batch, a_product, a_store, an_active_policy, date_base_price
from tests.support.price_list import an_entry

# Another run, another sample. To see a failure again: PRIOR_PRICE_SEED=… pytest …
SEED = int(os.environ.get("PRIOR_PRICE_SEED", SystemRandom().randrange(2**32)))
STORES = ("main", "east")
SHOPS = 4
EVENTS = 40
BEGIN = datetime(2025, 1, 15, tzinfo=UTC)
# When every batch expires. What ends by itself, without an event, has tests of its own.
END = BEGIN + timedelta(days=300)
WINDOW = timedelta(days=30)


@dataclass
class Replay:
    """One store's prices of the product, from one event to the next.

    Attributes:
        seen: after each event its instant, the base price, and the price of each batch that is reduced.
        reduced_since: when each batch that is reduced now was last reduced from base price or raised.
    """

    seen: list[tuple[datetime, Decimal, dict[int, Decimal]]] = field(default_factory=list)
    reduced_since: dict[int, datetime] = field(default_factory=dict)

    def note(self, at: datetime, base: Decimal, reduced: dict[int, Decimal]) -> None:
        before = self.seen[-1][2] if self.seen else {}
        for batch, price in reduced.items():
            if batch not in before or price > before[batch]:
                self.reduced_since[batch] = at
        self.reduced_since = {batch: since for batch, since in self.reduced_since.items() if batch in reduced}
        self.seen.append((at, base, dict(reduced)))

    def lowest(self, start: datetime, end: datetime) -> Decimal | None:
        """The lowest price of [start, end), each price counting until the next event."""
        ends = [*(at for at, _, _ in self.seen[1:]), datetime.max.replace(tzinfo=UTC)]
        prices = [
            min([base, *reduced.values()])
            for (at, base, reduced), ended in zip(self.seen, ends, strict=True)
            if at < end and ended > start
        ]
        return min(prices, default=None)


async def test_lowest_and_prior_prices_equal_a_replay_of_what_happened(session: AsyncSession) -> None:
    random = Random(SEED)
    await a_store(session, "east", "UTC")
    for month in range(1, 25):
        await ensure_partitions(
            session, now=datetime(2025 + (month - 1) // 12, 1 + (month - 1) % 12, 1, tzinfo=UTC)
        )
    compared = [await _play(session, random, f"P{shop}") for shop in range(SHOPS)]
    assert sum(compared) > SHOPS * EVENTS / 10, "hardly anything was reduced"


async def _play(session: AsyncSession, random: Random, sku: str) -> int:
    """Plays events one after the other, and returns how many reductions were compared."""
    now = BEGIN
    product = await a_product(session, base_price=str(_price(random)), sku=sku)
    await date_base_price(session, product, now)
    replays = {store: Replay() for store in STORES}
    await _note(session, product, replays, now)
    compared = 0
    for event in range(EVENTS):
        now += timedelta(minutes=random.choice((1, 60, 60 * 24, 60 * 24 * 3, 60 * 24 * 9)))
        if now > END:
            break
        await _happen(session, random, product, now)
        await _note(session, product, replays, now)
        for store in STORES:
            asked = now + timedelta(seconds=random.choice((0, 1, 59)))
            told = f"PRIOR_PRICE_SEED={SEED} {sku} event {event}"
            compared += await _compare(session, replays[store], sku, store, asked, told)
    return compared


async def _happen(session: AsyncSession, random: Random, product: int, now: datetime) -> None:
    batches = list(await session.scalars(select(Batch.id).where(Batch.product_id == product)))
    match random.randrange(9):
        case 0 | 1:
            await _set_base_price(session, product, _price(random), now)
        case 7 | 8:
            await _set_store_price(session, random, product, now)
        case 2:
            await a_batch(session, product, store=random.choice(STORES), expiry_date=END.date())
        case 3 if batches:
            await delete_batch(session, random.choice(batches), now=now)
        case 4 if batches:
            sold_out = update(Batch).where(Batch.id == random.choice(batches))
            await session.execute(sold_out.values(quantity=random.choice((0, 10))))
        case _:
            rate = random.choice(("0.10", "0.30", "0.50", "0.00"))
            await an_active_policy(
                session, {"rules": [{"name": "any", "discount": rate}], "price_only_down": False}
            )
    # Prices follow at once, so that the oracle need not know what a recompute would do later.
    await _reprice(session, now)


async def _set_base_price(session: AsyncSession, product: int, price: Decimal, now: datetime) -> None:
    changed = await session.scalar(
        update(Product)
        .where(Product.id == product, Product.base_price != price)
        .values(base_price=price)
        .returning(Product.id)
    )
    if changed is not None:
        await date_base_price(session, product, now)


async def _set_store_price(session: AsyncSession, random: Random, product: int, now: datetime) -> None:
    """Gives the product a price of its own in one store, or ends the one that it has."""
    store = await session.scalar(select(Store.id).where(Store.code == random.choice(STORES)))
    assert store is not None
    of_store = and_(BasePrice.product_id == product, BasePrice.store_id == store)
    count = select(func.count()).select_from(BasePrice).where(of_store)
    before = await session.scalar(count)
    if random.random() < 0.4:
        await session.execute(delete(PriceListEntry).where(PriceListEntry.store_id == store))
    else:
        await an_entry(session, product, store, _price(random), valid_from=now.date())
    await apply_price_list(session, now=now)
    if await session.scalar(count) != before:
        await date_base_price(session, product, now, store_id=store)


async def _reprice(session: AsyncSession, now: datetime) -> None:
    await recompute_all_discounts(session, now=now, days_threshold=365)


async def _note(session: AsyncSession, product: int, replays: dict[str, Replay], now: datetime) -> None:
    default = (await session.execute(select(Product.base_price).where(Product.id == product))).scalar_one()
    own = select(Store.code, StorePrice.price).join(StorePrice).where(StorePrice.product_id == product)
    prices = {row.code: row.price for row in await session.execute(own)}
    open_ = (
        select(Store.code, Discount.batch_id, Discount.price)
        .join(Batch, Batch.id == Discount.batch_id)
        .join(Store, Store.id == Batch.store_id)
        .where(Batch.product_id == product)
    )
    rows = (await session.execute(open_)).all()
    for store, replay in replays.items():
        replay.note(
            now, prices.get(store, default), {batch: price for code, batch, price in rows if code == store}
        )


async def _compare(
    session: AsyncSession, replay: Replay, sku: str, store: str, asked: datetime, told: str
) -> int:
    history = await get_price_history(session, sku=sku, store=store, now=asked)
    price = await get_price(session, sku=sku, store=store, now=asked)
    at_instant = asked + timedelta(microseconds=1)
    assert history.lowest_30_days == replay.lowest(asked - WINDOW, at_instant), told
    for step in history.lowest_prices:
        assert step.price == replay.lowest(step.valid_from, step.valid_from + timedelta(microseconds=1)), told
    found = {batch.batch_id: batch.reduction for batch in price.batches if batch.reduction is not None}
    assert found.keys() == replay.reduced_since.keys(), told
    for batch, reduction in found.items():
        began = replay.reduced_since[batch]
        assert reduction.began_at == began, told
        assert reduction.prior_price == replay.lowest(began - WINDOW, began), told
    return len(found)


def _price(random: Random) -> Decimal:
    return Decimal(random.randint(100, 2000)) / 100
