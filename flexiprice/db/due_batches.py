"""Finds the batches that a recompute must quote, in one pass that looks at a number each."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

from sqlalchemy import BigInteger, Dialect, and_, case, func, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.candidates import join_candidates, priced_products
from flexiprice.db.cents import number
from flexiprice.db.policy_sql import fenced
from flexiprice.db.prepared import PolicyKey, Prepared, prepare, run
from flexiprice.db.recompute_scope import Narrowing, Scope
from flexiprice.db.tables import Batch, table_of
from flexiprice.domain.policy import PricingPolicy

# More than these, or more than this part of all, are not named but looked for again: the list would weigh on
# the client, and to look up so many single batches would cost more than another pass.
_MOST_BATCHES_TO_NAME = 100_000
_SMALLEST_PART_NOT_TO_NAME = 4


@dataclass(frozen=True, slots=True)
class Due:
    """What a pass over the candidates found.

    Attributes:
        considered: how many candidates there are.
        may_change: for how many of them quoting can change anything.
        scope: the batches to quote.
    """

    considered: int
    may_change: int
    scope: Scope


async def find_due(session: AsyncSession, policy: PricingPolicy, scope: Scope) -> Due:
    """Counts the candidates and finds those that quoting can change, by their fingerprints.

    Args:
        session: the transaction.
        policy: one without a version finds all that have a discount open.
        scope: which batches.
    """
    connection = await session.connection()
    statement = _statement(connection.dialect, PolicyKey.of(policy), scope.narrowings)
    found = await run(session, statement, scope.parameters())
    considered, may_change, batch_ids = cast("tuple[int, int, list[int] | None]", found.one())
    return Due(considered, may_change, scope if batch_ids is None else replace(scope, batch_ids=batch_ids))


@lru_cache(maxsize=64)
def _statement(dialect: Dialect, key: PolicyKey, narrowings: frozenset[Narrowing]) -> Prepared:
    policy = key.policy()
    terms = priced_products(policy, narrowings).c
    # No more than is needed: these rows are looked up once a batch, and a smaller table is looked up faster.
    products = fenced(select(terms.product_id, terms.fingerprint, terms.scope, terms.opening_rate))
    candidates = join_candidates(products, narrowings)
    ids = func.array_agg(table_of(Batch).c.id, type_=ARRAY(BigInteger)).filter(candidates.is_due(policy))
    passed = (
        select(func.count().label("considered"), ids.label("ids"))
        .select_from(candidates.source)
        .where(candidates.is_candidate)
        .subquery()
    )
    may_change = func.coalesce(func.cardinality(passed.c.ids), number(0))
    is_few = and_(
        may_change <= number(_MOST_BATCHES_TO_NAME),
        may_change * number(_SMALLEST_PART_NOT_TO_NAME) <= passed.c.considered,
    )
    named = case((is_few, func.coalesce(passed.c.ids, literal_column("'{}'", ARRAY(BigInteger)))))
    return prepare(select(passed.c.considered, may_change, named), dialect)
