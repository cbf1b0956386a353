"""A policy's SQL runs in parallel, takes any name, and stays fast for the largest policy."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import CreateTableAs, column, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from flexiprice.domain.policy import MAX_CATEGORIES, MAX_RULES, PricingPolicy, parse_policy
from flexiprice.domain.quote import PricedBatch, quote
from flexiprice.pricing.policy_files import default_policy
from flexiprice.pricing.sql.compiled_policy import CompiledPolicy
from flexiprice.pricing.sql.policy import select_quotes
from tests.support.candidate_rows import COLUMNS, Case, create_unit_type, quoted_by_sql
from tests.support.random_pricing import DAY

AWKWARD = ("it's", '"quoted"', r"back\slash", ":colon :x", "100%", "%(x)s %s %%", "$1", "'; DROP --", "漢字")


@pytest.fixture
async def connection(empty_database_url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(empty_database_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        await create_unit_type(connection)
        yield connection
    await engine.dispose()


async def make_candidates(connection: AsyncConnection, rows: int) -> None:
    await connection.execute(
        text(
            "CREATE TABLE candidates AS SELECT i AS place, 'bakery' AS category_key,"
            " 5.00::numeric(12, 2) AS base_price, NULL::numeric(12, 2) AS unit_cost,"
            " i % 90 * 1000::bigint AS quantity,"
            " 'each'::product_unit AS unit,"
            f" date '{DAY}' + i % 5 AS expiry_date, date '{DAY}' AS day,"
            " NULL::numeric(12, 2) AS current_price, NULL::numeric(12, 2) AS current_base_price,"
            " NULL::numeric(12, 2) AS current_unit_cost, NULL::date AS current_expiry_date,"
            f" NULL::int AS current_policy_version FROM generate_series(1, {rows}) AS i"
        )
    )


def stored_candidates() -> object:
    return table("candidates", *(column(known.name, known.type) for known in COLUMNS))


async def test_every_level_of_the_policy_sql_may_run_in_parallel_workers(connection: AsyncConnection) -> None:
    await make_candidates(connection, 20_000)
    for setting in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
        await connection.execute(text(f"SET {setting} = 0"))
    quotes = select_quotes(CompiledPolicy.of(default_policy()), stored_candidates())
    made = CreateTableAs(quotes, "quotes", temporary=True)
    plan = list(await connection.scalars(text(f"EXPLAIN {made.compile(connection.sync_engine)}")))
    # A single optimization barrier that is not parallel-safe puts all of them above the Gather.
    assert "Gather" in plan[0]
    assert any("Parallel Seq Scan" in line for line in plan)


async def test_policy_sql_agrees_with_quote_with_its_constants_in_a_table(
    connection: AsyncConnection,
) -> None:
    rules = [
        {"name": name, "days_to_expiry": {"min": day, "max": day}, "discount": "0.3"}
        for day, name in enumerate(AWKWARD[:5])
    ]
    more = [{"name": name, "discount": "0.2", "quantity": {"min": 80}} for name in AWKWARD[5:6]]
    policy = parse_policy({"rules": rules, "categories": {"bakery": {"rules": more}}}).with_version(1)
    await make_candidates(connection, 200)
    quotes = select_quotes(CompiledPolicy.of(policy), stored_candidates())
    await connection.execute(CreateTableAs(quotes, "quotes"))
    in_table = (await connection.execute(text("SELECT * FROM quotes ORDER BY place"))).all()
    asked = quotes.subquery()
    assert in_table == (await connection.execute(select(asked).order_by(asked.c.place))).all()
    assert {row.rule for row in in_table} == {*AWKWARD[:6], None}


@pytest.mark.parametrize("name", AWKWARD)
async def test_names_reach_the_database_as_they_are_written(connection: AsyncConnection, name: str) -> None:
    policy = parse_policy(
        {
            "rules": [{"name": name, "discount": "0.3"}],
            "categories": {name: {"rules": [{"name": f"own {name}", "discount": "0.4"}]}},
        }
    )
    keys = ["unknown", *policy.categories]
    quoted = await quoted_by_sql(connection, policy, [Case(batch(key), None) for key in keys])
    assert [answer.rule for answer in quoted if answer] == [name, f"own {name}"]


async def test_the_largest_policy_is_answered_like_a_small_one(connection: AsyncConnection) -> None:
    policy = largest_policy()
    cases = [
        Case(batch(f"category {place}", days=place % 12, quantity=1 + place % 40), None)
        for place in range(MAX_CATEGORIES + 1)
    ]
    quoted = await quoted_by_sql(connection, policy, cases)
    assert quoted == [quote(case.batch, policy, on=DAY) for case in cases]
    assert len({answer.rule for answer in quoted if answer}) > 200


def largest_policy() -> PricingPolicy:
    def rules(scope: str) -> list[dict[str, object]]:
        return [
            {
                "name": f"{scope}/{n}",
                "days_to_expiry": {"max": 3 * n},
                "quantity": {"min": 10 * n},
                "discount": f"0.{4 - n}",
            }
            for n in range(MAX_RULES // MAX_CATEGORIES)
        ]

    return parse_policy(
        {"categories": {f"category {place}": {"rules": rules(f"{place}")} for place in range(MAX_CATEGORIES)}}
    )


def batch(key: str, *, days: int = 0, quantity: int = 10) -> PricedBatch:
    return PricedBatch(key, Decimal("5.00"), None, Decimal(quantity), DAY + timedelta(days=days))
