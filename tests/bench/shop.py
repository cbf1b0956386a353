"""The shop that is measured: 20 stores, a product for every hundred batches, 78% of the batches eligible."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flexiprice.db.engine import create_engine
from flexiprice.db.partitions import ensure_partitions
from flexiprice.db.planner_settings import restore_plan_cache, use_bulk_plans
from flexiprice.pricing.policy_files import parse_policy_text
from flexiprice.pricing.policy_versions import activate_policy, create_policy
from flexiprice.pricing.recompute import RecomputeSummary, recompute_all_discounts
from flexiprice.settings import load_settings

# Nearly every eligible batch gets a discount, so that a first run writes as much as it can have to.
POLICY = """
min_margin_over_cost: 0.05
rules:
  - {name: a month left, days_to_expiry: {max: 30}, discount: 0.05}
  - {name: two weeks left, days_to_expiry: {max: 14}, discount: 0.10}
  - {name: a week left, days_to_expiry: {max: 7}, discount: 0.20}
  - {name: three days left, days_to_expiry: {max: 3}, discount: 0.30}
  - {name: last day, days_to_expiry: {max: 0}, discount: 0.50}
  - {name: overstock, days_to_expiry: {max: 7}, quantity: {min: 80}, discount: 0.40}
categories:
  bakery:
    floor_fraction: 0.20
    rules:
      - {name: bakery last day, days_to_expiry: {max: 0}, discount: 0.75}
      - {name: bakery still fresh, days_to_expiry: {min: 3}, discount: 0.03}
  dairy:
    rules:
      - {name: dairy two weeks left, days_to_expiry: {max: 14}, discount: 0.15}
      - {name: dairy last day, days_to_expiry: {max: 0}, discount: 0.45}
  fish:
    rules:
      - {name: fish two days left, days_to_expiry: {max: 2}, discount: 0.35}
      - {name: fish last day, days_to_expiry: {max: 0}, discount: 0.60}
"""
STORES = 20
BATCHES_PER_PRODUCT = 100

_FILL = (
    """
    INSERT INTO stores (code, time_zone)
    SELECT 's' || n, (ARRAY['UTC', 'Europe/Berlin', 'Africa/Lagos', 'Europe/Lisbon'])[1 + n % 4]
    FROM generate_series(1, CAST(:stores AS int) - 1) AS n
    """,
    """
    INSERT INTO products (sku, name, category, category_key, base_price, unit_cost)
    SELECT 'P' || n, 'product ' || n, category, lower(category), price,
           CASE WHEN n % 3 > 0 THEN round(price * 0.55, 2) END
    FROM generate_series(1, CAST(:products AS int)) AS n,
         LATERAL (SELECT (100 + n * 37 % 1900) / 100.0 AS price, (
             ARRAY['Bakery', 'Dairy', 'Meat', 'Fish', 'Produce', 'Beverages', 'Pantry', 'Frozen']
         )[1 + n % 8] AS category) AS chosen
    """,
    """
    INSERT INTO batches (store_id, product_id, lot, quantity, expiry_date)
    SELECT store.id, product.id, 'L' || n,
           1000 * CASE WHEN n % 50 = 0 THEN 0 ELSE 1 + (n::bigint * 7919 % 120) END,
           CAST(:today AS date) + (n::bigint * 104729 % 39)::int
    FROM generate_series(1, CAST(:batches AS int)) AS n
    JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM stores) AS store
      ON store.place = 1 + n / 7 % CAST(:stores AS int)
    JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM products) AS product
      ON product.place = 1 + n % CAST(:products AS int)
    ORDER BY n
    """,
)
_STORE_PRICES = """
    INSERT INTO price_list (product_id, store_id, valid_from, price)
    SELECT products.id, stores.id, CAST(:today AS date), products.base_price + 0.10
    FROM products CROSS JOIN stores
    WHERE (products.id + 13 * stores.id) % 100 < CAST(:percent AS int)
"""


@dataclass(frozen=True)
class Shop:
    """A database with a catalogue and a policy, and no discounts yet.

    Attributes:
        engine: on the database.
        url: of the database.
        batches: how many there are.
        now: noon of the day that everything happens on; all stores have the same date then.
    """

    engine: AsyncEngine
    url: str
    batches: int
    now: datetime

    @property
    def sessions(self) -> async_sessionmaker[AsyncSession]:
        return async_sessionmaker(self.engine, expire_on_commit=False)

    async def recompute(self) -> RecomputeSummary:
        async with self.sessions.begin() as session:
            return await recompute_all_discounts(session, now=self.now)

    async def execute(self, *statements: str, **parameters: object) -> None:
        """Runs statements in one transaction, planned as those of the recompute are."""
        async with self.sessions.begin() as session:
            await use_bulk_plans(session)
            await restore_plan_cache(session)
            for statement in statements:
                names = {name: value for name, value in parameters.items() if f":{name}" in statement}
                await session.execute(text(statement), names)

    async def outside_transaction(self, statement: str) -> None:
        async with self.engine.connect() as connection:
            autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await autocommit.execute(text(statement))

    async def value(self, query: str) -> int:
        async with self.engine.connect() as connection:
            return await connection.scalar(text(query)) or 0

    async def settle(self) -> None:
        """Finishes the server's background work before the next measurement."""
        await self.outside_transaction("VACUUM (ANALYZE)")
        await self.outside_transaction("CHECKPOINT")

    async def close_all(self) -> None:
        """Takes back every discount and empties the ledger."""
        await self.execute("TRUNCATE discounts, price_decisions")
        await self.settle()


@asynccontextmanager
async def shop(url: str, batches: int, *, store_prices: int = 0) -> AsyncIterator[Shop]:
    """Fills a migrated, empty database.

    Args:
        url: of the database.
        batches: how many.
        store_prices: the percentage of products in stores that have a price of their own there.
    """
    engine = create_engine(load_settings(env_files=(), database_url=url), application_name="benchmark")
    today = datetime.now(UTC).date()
    opened = Shop(engine, url, batches, datetime.combine(today, time(12), tzinfo=UTC))
    try:
        products = max(100, batches // BATCHES_PER_PRODUCT)
        sizes = {"batches": batches, "stores": STORES, "products": products, "today": today}
        await opened.execute(*_FILL, **sizes)
        if store_prices:
            await opened.execute(_STORE_PRICES, today=today, percent=store_prices)
        async with opened.sessions.begin() as session:
            version = (await create_policy(session, parse_policy_text(POLICY))).version
            await activate_policy(session, version, now=opened.now)
            await ensure_partitions(session, now=opened.now + timedelta(days=60))
        await opened.settle()
        yield opened
    finally:
        await engine.dispose()
