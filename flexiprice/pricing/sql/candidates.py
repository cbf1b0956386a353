"""The batches that a recompute quotes, beside their products, their stores' dates and open discounts."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    FromClause,
    Subquery,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.local_dates import fixed_date, local_dates_at
from flexiprice.db.statements import CompiledStatement, PolicyKey, optimization_barrier, prepare, run
from flexiprice.db.tables import Batch, Discount, Product, table_of
from flexiprice.domain.policy import PricingPolicy
from flexiprice.pricing.sql.buckets import not_in_excluded_buckets
from flexiprice.pricing.sql.fingerprint import batch_fingerprint, opening_rate, product_fingerprint
from flexiprice.pricing.sql.policy import Columns, product_terms
from flexiprice.pricing.sql.rules import matched_rule
from flexiprice.pricing.sql.selection import (
    BATCH_IDS,
    CATEGORY_KEY,
    DAYS_THRESHOLD,
    NOW,
    ON,
    STORE,
    BatchSelection,
    SelectionFilter,
)
from flexiprice.pricing.sql.values import RATE_PARTS, number

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
    scope: BatchSelection


async def find_stale(session: AsyncSession, policy: PricingPolicy, scope: BatchSelection) -> Due:
    """Counts the candidates and finds those that quoting can change, by their fingerprints.

    Args:
        session: the transaction.
        policy: one without a version finds all that have a discount open.
        scope: which batches.
    """
    connection = await session.connection()
    statement = _statement(connection.dialect, PolicyKey.of(policy), scope.filters)
    found = await run(session, statement, scope.parameters())
    considered, may_change, batch_ids = cast("tuple[int, int, list[int] | None]", found.one())
    return Due(considered, may_change, scope if batch_ids is None else replace(scope, batch_ids=batch_ids))


@lru_cache(maxsize=64)
def _statement(dialect: Dialect, key: PolicyKey, filters: frozenset[SelectionFilter]) -> CompiledStatement:
    policy = key.policy()
    terms = priced_products(policy, filters).c
    # No more than is needed: these rows are looked up once a batch, and a smaller table is looked up faster.
    products = optimization_barrier(
        select(terms.product_id, terms.fingerprint, terms.scope, terms.opening_rate)
    )
    candidates = join_candidates(products, filters)
    ids = func.array_agg(table_of(Batch).c.id, type_=ARRAY(BigInteger)).filter(candidates.is_stale(policy))
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


@dataclass(frozen=True, slots=True)
class Candidates:
    """A join to select from.

    Attributes:
        source: batches, products, store days and open discounts, where there is one.
        is_candidate: which rows of it are to be quoted.
        products: the columns of the product.
        days_to_expiry: from the store's date.
    """

    source: FromClause
    is_candidate: ColumnElement[bool]
    products: Columns
    days_to_expiry: ColumnElement[int]

    def is_stale(self, policy: PricingPolicy) -> ColumnElement[bool]:
        """Whether quoting a candidate changes something, as far as fingerprints tell.

        `products` must have the columns `scope`, `fingerprint` and `opening_rate`.
        """
        products, batch, open_ = self.products, table_of(Batch).c, table_of(Discount).c
        matched = matched_rule(policy, products.scope, self.days_to_expiry, batch.quantity)
        fingerprint = batch_fingerprint(products.fingerprint, matched=matched, expiry_date=batch.expiry_date)
        return case(
            (open_.batch_id.is_(None), func.mod(matched, number(RATE_PARTS)) >= products.opening_rate),
            (or_(batch.quantity == number(0), self.days_to_expiry < number(0)), open_.batch_id.is_not(None)),
            else_=open_.fingerprint != fingerprint,
        )


def priced_products(policy: PricingPolicy, filters: Collection[SelectionFilter]) -> Subquery:
    """The products in scope with what their batches' quotes share.

    That is all of `policy_sql.product_terms`, `fingerprint` and `opening_rate`.
    """
    product = table_of(Product).c
    query = select(
        product.id.label("product_id"), product.category_key, product.base_price, product.unit_cost
    )
    if SelectionFilter.CATEGORY_KEY in filters:
        query = query.where(product.category_key == CATEGORY_KEY)
    terms = product_terms(policy, query.subquery())
    return optimization_barrier(
        select(
            *terms.c,
            product_fingerprint(policy, terms.c).label("fingerprint"),
            opening_rate(policy, terms.c).label("opening_rate"),
        )
    )


def join_candidates(products: FromClause, filters: Collection[SelectionFilter]) -> Candidates:
    """Joins the batches in scope to what their quotes need.

    Args:
        products: has the column `product_id`.
        filters: which of the scope's conditions there are.
    """
    batch, open_ = table_of(Batch), table_of(Discount)
    stores = fixed_date(ON) if SelectionFilter.ON in filters else local_dates_at(NOW)
    may_open = and_(
        batch.c.quantity > number(0),
        batch.c.expiry_date >= stores.c.day,
        batch.c.expiry_date <= stores.c.day + DAYS_THRESHOLD,
    )
    conditions: list[ColumnElement[bool]] = [or_(may_open, open_.c.batch_id.is_not(None))]
    if SelectionFilter.BATCH_IDS in filters:
        conditions.append(batch.c.id == BATCH_IDS.any_())
    if SelectionFilter.STORE in filters:
        conditions.append(stores.c.code == STORE)
    if SelectionFilter.EXCLUDED_BUCKETS in filters:
        conditions.append(not_in_excluded_buckets())
    return Candidates(
        source=batch.join(products, products.c.product_id == batch.c.product_id)
        .join(stores, stores.c.store_id == batch.c.store_id)
        .outerjoin(open_, open_.c.batch_id == batch.c.id),
        is_candidate=and_(*conditions),
        products=products.c,
        days_to_expiry=batch.c.expiry_date - stores.c.day,
    )
