"""The candidates of a recompute, joined with products, local dates and open discounts."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    FromClause,
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
from flexiprice.db.statements import CompiledStatement, compile_statement, execute
from flexiprice.db.tables import Batch, Discount, table_of
from flexiprice.pricing.sql.buckets import not_in_excluded_buckets
from flexiprice.pricing.sql.compiled_policy import CompiledPolicy
from flexiprice.pricing.sql.fingerprint import batch_fingerprint
from flexiprice.pricing.sql.policy import Columns
from flexiprice.pricing.sql.priced_products import PricedProducts, priced_products
from flexiprice.pricing.sql.rules import matched_rule
from flexiprice.pricing.sql.selection import (
    BATCH_IDS,
    DAYS_THRESHOLD,
    NOW,
    ON,
    STALE_IDS,
    STORE,
    BatchSelection,
    SelectionFilter,
)
from flexiprice.pricing.sql.values import RATE_PARTS, int_literal

# Above this number, or this fraction of the candidates, stale batches are not listed by id: the list would be
# large, and looking up so many single batches costs more than another pass.
_MAX_LISTED_BATCHES = 100_000
_MAX_LISTED_FRACTION_DIVISOR = 4


@dataclass(frozen=True, slots=True)
class StaleBatches:
    """The stale candidates.

    Attributes:
        considered: number of candidates.
        may_change: number of stale candidates, which quoting may change.
        selection: the batches to quote.
    """

    considered: int
    may_change: int
    selection: BatchSelection


async def find_stale(
    session: AsyncSession, policy: CompiledPolicy, selection: BatchSelection
) -> StaleBatches:
    """Counts the candidates and finds the stale ones by their fingerprints.

    Args:
        session: the transaction.
        policy: for a policy without a version, all candidates with an open discount are stale.
        selection: the selected batches.
    """
    connection = await session.connection()
    statement = _statement(connection.dialect, policy, selection.filters)
    found = await execute(session, statement, selection.parameters())
    considered, may_change, stale_ids = cast("tuple[int, int, list[int] | None]", found.one())
    return StaleBatches(considered, may_change, replace(selection, stale_ids=stale_ids))


@lru_cache(maxsize=64)
def _statement(
    dialect: Dialect, policy: CompiledPolicy, filters: frozenset[SelectionFilter]
) -> CompiledStatement:
    # Only the needed columns: each batch looks up a row, and a smaller table is faster.
    products = priced_products(policy, filters).limited_to("unit", "fingerprint", "scope", "min_opening_rate")
    candidates = join_candidates(products, filters)
    ids = func.array_agg(table_of(Batch).c.id, type_=ARRAY(BigInteger)).filter(candidates.is_stale(policy))
    stale = (
        select(func.count().label("considered"), ids.label("ids"))
        .select_from(candidates.source)
        .where(candidates.is_candidate)
        .subquery()
    )
    may_change = func.coalesce(func.cardinality(stale.c.ids), int_literal(0))
    is_few = and_(
        may_change <= int_literal(_MAX_LISTED_BATCHES),
        may_change * int_literal(_MAX_LISTED_FRACTION_DIVISOR) <= stale.c.considered,
    )
    listed = case((is_few, func.coalesce(stale.c.ids, literal_column("'{}'", ARRAY(BigInteger)))))
    return compile_statement(select(stale.c.considered, may_change, listed), dialect)


@dataclass(frozen=True, slots=True)
class Candidates:
    """A join of candidates.

    Attributes:
        source: batches with products, local dates and any open discounts.
        is_candidate: whether a row is a candidate.
        products: the columns of the product.
        days_to_expiry: from the store's local date.
    """

    source: FromClause
    is_candidate: ColumnElement[bool]
    products: Columns
    days_to_expiry: ColumnElement[int]

    def is_stale(self, policy: CompiledPolicy) -> ColumnElement[bool]:
        """Whether a candidate's fingerprint differs, so that quoting may change its discount.

        `products` must have the columns `scope`, `unit`, `fingerprint` and `min_opening_rate`.
        """
        products, batch, open_ = self.products, table_of(Batch).c, table_of(Discount).c
        matched = matched_rule(policy, products.scope, self.days_to_expiry, batch.quantity, products.unit)
        fingerprint = batch_fingerprint(products.fingerprint, matched=matched, expiry_date=batch.expiry_date)
        return case(
            (
                open_.batch_id.is_(None),
                func.mod(matched, int_literal(RATE_PARTS)) >= products.min_opening_rate,
            ),
            (
                or_(batch.quantity == int_literal(0), self.days_to_expiry < int_literal(0)),
                open_.batch_id.is_not(None),
            ),
            else_=open_.fingerprint != fingerprint,
        )


def join_candidates(products: PricedProducts, filters: Collection[SelectionFilter]) -> Candidates:
    """Joins the selected batches with products, local dates and open discounts.

    Args:
        products: the products.
        filters: the filters of the selection.
    """
    batch, open_ = table_of(Batch), table_of(Discount)
    stores = fixed_date(ON) if SelectionFilter.ON in filters else local_dates_at(NOW)
    may_open = and_(
        batch.c.quantity > int_literal(0),
        batch.c.expiry_date >= stores.c.day,
        batch.c.expiry_date <= stores.c.day + DAYS_THRESHOLD,
    )
    conditions: list[ColumnElement[bool]] = [or_(may_open, open_.c.batch_id.is_not(None))]
    # Not both: the planner would take them for independent, and expect hardly a batch.
    if SelectionFilter.STALE_IDS in filters:
        conditions.append(batch.c.id == STALE_IDS.any_())
    elif SelectionFilter.BATCH_IDS in filters:
        conditions.append(batch.c.id == BATCH_IDS.any_())
    if SelectionFilter.STORE in filters:
        conditions.append(stores.c.code == STORE)
    if SelectionFilter.EXCLUDED_BUCKETS in filters:
        conditions.append(not_in_excluded_buckets())
    return Candidates(
        source=products.join_to(batch)
        .join(stores, stores.c.store_id == batch.c.store_id)
        .outerjoin(open_, open_.c.batch_id == batch.c.id),
        is_candidate=and_(*conditions),
        products=products.columns,
        days_to_expiry=batch.c.expiry_date - stores.c.day,
    )
