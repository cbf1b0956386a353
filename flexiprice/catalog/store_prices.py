"""Base prices by store: how readers find them, and how the price list of today comes into force.

The base price of a product in a store is that of `store_prices`, or else the product's. Every reader joins it
by `of_store` and takes `base_price`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    SQLColumnExpression,
    TextClause,
    and_,
    bindparam,
    exists,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from flexiprice.db.locks import Lock, acquire
from flexiprice.db.store_price_tables import StorePrice
from flexiprice.db.tables import Product


def base_price() -> ColumnElement[Decimal]:
    """The base price of `Product` in a store, for a query with an outer join by `of_store`."""
    return func.coalesce(StorePrice.price, Product.base_price)


def of_store(product_id: SQLColumnExpression[int], store_id: SQLColumnExpression[int]) -> ColumnElement[bool]:
    """The condition of an outer join with `StorePrice`."""
    return and_(StorePrice.product_id == product_id, StorePrice.store_id == store_id)


async def has_store_prices(session: AsyncSession) -> bool:
    """Whether any product has a price of its own in any store."""
    return bool(await session.scalar(select(exists().select_from(StorePrice))))


async def apply_price_list(
    session: AsyncSession,
    *,
    now: datetime,
    product_ids: Sequence[int] | None = None,
    batch_ids: Sequence[int] | None = None,
) -> bool:
    """Brings the prices in force up to date with the price list, by each store's local date.

    It writes nothing, and waits for nobody, where they are up to date.

    Args:
        session: in a transaction. If prices change, other transactions that change some wait for its end.
        now: the instant that decides each store's local date.
        product_ids: only these products; None for all.
        batch_ids: only the products of these batches; None for all.

    Returns:
        Whether any product has a price of its own in any store.
    """
    limited = _limited(products=product_ids is not None, batches=batch_ids is not None)
    given = {"now": now, "product_ids": product_ids, "batch_ids": batch_ids}
    parameters = {name: given[name] for name in limited.names}
    has_any, is_outdated = (await session.execute(limited.find, parameters)).one()
    if is_outdated:
        await acquire(session, Lock.STORE_PRICES)
        await session.execute(limited.write, parameters)
    return bool(has_any or is_outdated)


@dataclass(frozen=True, slots=True)
class _Statements:
    """The statements for all products, or for some.

    Attributes:
        names: of their parameters.
        find: selects whether any store has prices of its own, and whether any differs from the price list.
        write: writes those that differ.
    """

    names: tuple[str, ...]
    find: TextClause
    write: TextClause


# The price list at an instant. Union instead of a condition with OR, which no hash join could use.
_DUE = """
    days AS MATERIALIZED (
        SELECT id AS store_id, CAST(timezone(time_zone, :now) AS date) AS day FROM stores
    ), entries AS (
        SELECT entry.product_id, days.store_id, entry.price, 0 AS rank, entry.valid_from
        FROM price_list AS entry
        JOIN days ON days.store_id = entry.store_id
        WHERE days.day >= entry.valid_from AND days.day <= coalesce(entry.valid_until, days.day){chosen_entry}
        UNION ALL
        SELECT entry.product_id, days.store_id, entry.price, 1, entry.valid_from
        FROM price_list AS entry
        JOIN days ON entry.store_id IS NULL
        WHERE days.day >= entry.valid_from AND days.day <= coalesce(entry.valid_until, days.day){chosen_entry}
    ), due AS (
        SELECT DISTINCT ON (product_id, store_id) product_id, store_id, price
        FROM entries
        ORDER BY product_id, store_id, rank, valid_from DESC
    ), in_force AS (
        SELECT product_id, store_id, price FROM store_prices AS entry WHERE true{chosen_entry}
    ), differences AS (
        SELECT product_id, store_id, due.price, in_force.price AS old_price
        FROM due FULL JOIN in_force USING (product_id, store_id)
        WHERE due.price IS DISTINCT FROM in_force.price
    )
"""
_FIND = "WITH {due} SELECT EXISTS (SELECT FROM store_prices), EXISTS (SELECT FROM differences)"
_WRITE = """
    WITH {due}, changes AS MATERIALIZED (
        SELECT * FROM differences
    ), ended AS (
        DELETE FROM store_prices USING changes
        WHERE store_prices.product_id = changes.product_id AND store_prices.store_id = changes.store_id
            AND changes.price IS NULL
    ), changed AS (
        UPDATE store_prices SET price = changes.price FROM changes
        WHERE store_prices.product_id = changes.product_id AND store_prices.store_id = changes.store_id
            AND changes.price IS NOT NULL
    )
    INSERT INTO store_prices (product_id, store_id, price)
    SELECT changes.product_id, changes.store_id, changes.price
    FROM changes
    JOIN products ON products.id = changes.product_id
    JOIN stores ON stores.id = changes.store_id
    WHERE changes.old_price IS NULL
    -- One that is being deleted is waited for, and left out.
    FOR KEY SHARE OF products, stores
"""
_CHOSEN_PRODUCTS = " AND entry.product_id = ANY (:product_ids)"
_CHOSEN_BATCHES = """
    AND entry.product_id IN (SELECT batches.product_id FROM batches WHERE batches.id = ANY (:batch_ids))
"""


@cache
def _limited(*, products: bool, batches: bool) -> _Statements:
    chosen = f"{_CHOSEN_PRODUCTS if products else ''}{_CHOSEN_BATCHES if batches else ''}"
    types: dict[str, TypeEngine[Any]] = {
        "now": TIMESTAMP(timezone=True),
        **({"product_ids": ARRAY(Integer)} if products else {}),
        **({"batch_ids": ARRAY(BigInteger)} if batches else {}),
    }
    due = _DUE.format(chosen_entry=chosen)
    find, write = (
        text(sql.format(due=due)).bindparams(*(bindparam(name, type_=kind) for name, kind in types.items()))
        for sql in (_FIND, _WRITE)
    )
    return _Statements(tuple(types), find, write)
