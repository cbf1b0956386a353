"""A price list in random order, and the price that it gives a product in a store on a day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.store_price_tables import PriceListEntry


@dataclass(frozen=True)
class Entry:
    """An entry of the price list; without a store it is for all of them."""

    product_id: int
    store_id: int | None
    valid_from: date
    valid_until: date | None
    price: Decimal


def listed_price(
    entries: Iterable[Entry], *, product_id: int, store_id: int, on: date, default: Decimal
) -> Decimal:
    """The base price, found as a person would: the store's own entries first, then those of all stores."""
    valid = [
        entry
        for entry in entries
        if entry.product_id == product_id
        and entry.valid_from <= on
        and (entry.valid_until is None or on <= entry.valid_until)
    ]
    for scope in (store_id, None):
        own = [entry for entry in valid if entry.store_id == scope]
        if own:
            return max(own, key=lambda entry: entry.valid_from).price
    return default


async def entries_of(session: AsyncSession) -> list[Entry]:
    row = PriceListEntry
    query = select(row.product_id, row.store_id, row.valid_from, row.valid_until, row.price)
    return [Entry(*found) for found in await session.execute(query)]


async def an_entry(
    session: AsyncSession,
    product_id: int,
    store_id: int | None,
    price: Decimal | str,
    *,
    valid_from: date,
    valid_until: date | None = None,
) -> int:
    """Writes an entry in place of the one that begins on the same day."""
    row = PriceListEntry
    await session.execute(
        delete(row).where(
            row.product_id == product_id,
            row.store_id.is_not_distinct_from(store_id),
            row.valid_from == valid_from,
        )
    )
    values = {
        "product_id": product_id,
        "store_id": store_id,
        "valid_from": valid_from,
        "valid_until": valid_until,
        "price": price,
    }
    return (await session.execute(insert(row).values(values).returning(row.id))).scalar_one()


async def a_random_entry(
    session: AsyncSession, random: Random, product_id: int, store_id: int, price: Decimal, *, near: date
) -> None:
    """Writes an entry around a day, or ends every price that the store has."""
    if random.random() < 0.2:
        ended = delete(PriceListEntry).where(PriceListEntry.product_id == product_id)
        await session.execute(ended)
        return
    valid_from = near + timedelta(days=random.choice((-3, -1, 0, 0, 0, 1, 2)))
    until = random.choice((None, None, 0, 1, 4))
    await an_entry(
        session,
        product_id,
        random.choice((store_id, store_id, None)),
        price,
        valid_from=valid_from,
        valid_until=None if until is None else valid_from + timedelta(days=until),
    )
