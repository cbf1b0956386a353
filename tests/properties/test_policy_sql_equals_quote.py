"""The policy compiled to SQL and the pure `quote` are two ways to say the same."""

import os
from collections import Counter
from collections.abc import AsyncIterator
from random import Random, SystemRandom

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from flexiprice.domain.quote import Limit, Quote, quote
from tests.support.candidate_rows import Case, create_unit_type, quoted_by_sql
from tests.support.random_pricing import DAY, random_batch, random_current, random_policy

# Another run, another sample. To see a failure again: POLICY_SQL_SEED=… pytest …
SEED = int(os.environ.get("POLICY_SQL_SEED", SystemRandom().randrange(2**32)))
POLICIES = 105
BATCHES_PER_POLICY = 200


@pytest.fixture
async def connection(postgres_url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(postgres_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        await create_unit_type(connection)
        yield connection
    await engine.dispose()


async def test_sql_and_quote_agree_on_every_random_batch_of_every_random_policy(
    connection: AsyncConnection,
) -> None:
    seen: Counter[str] = Counter()
    for round_ in range(POLICIES):
        random = Random(f"{SEED}/{round_}")
        policy = random_policy(random)
        batches = [random_batch(random, policy) for _ in range(BATCHES_PER_POLICY)]
        cases = [Case(batch, random_current(random, batch, policy)) for batch in batches]
        by_sql = await quoted_by_sql(connection, policy, cases)
        for case, from_sql in zip(cases, by_sql, strict=True):
            expected = quote(case.batch, policy, on=DAY, current=case.current)
            assert from_sql == expected, f"POLICY_SQL_SEED={SEED} round {round_}: {case}\n{policy.document()}"
            seen.update(outcome(expected))
    # A sample without edge cases would prove nothing.
    assert all(seen[kind] >= 20 for kind in [*Limit, "none", "price", "no rule"]), seen


def outcome(quoted: Quote | None) -> list[str]:
    if quoted is None:
        return ["none"]
    return ["price", *quoted.limits, *(["no rule"] if quoted.rule is None else [])]
