"""The batches that a recompute quotes, beside their products, their stores' dates and open discounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Subquery,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from flexiprice.db.cents import RATE_PARTS, number
from flexiprice.db.fingerprint import batch_fingerprint, product_fingerprint
from flexiprice.db.opening_rate import opening_rate
from flexiprice.db.policy_sql import Columns, fenced, product_terms
from flexiprice.db.policy_sql_rules import matched_rule
from flexiprice.db.store_days import store_days
from flexiprice.db.tables import Batch, Discount, Product, table_of
from flexiprice.domain.policy import PricingPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which batches are quoted, and on which day; what is None does not narrow it.

    Attributes:
        now: the instant whose date each store has.
        days_threshold: batches further from their expiry are quoted only if they have a discount open.
        on: the date of every store, instead of that of `now`.
        batch_ids: only these batches.
        store: only the batches of the store with this code.
        category_key: only the batches of this category.
    """

    now: datetime
    days_threshold: int
    on: date | None = None
    batch_ids: Sequence[int] | None = None
    store: str | None = None
    category_key: str | None = None


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

    def is_due(self, policy: PricingPolicy) -> ColumnElement[bool]:
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


def priced_products(policy: PricingPolicy, scope: Scope) -> Subquery:
    """The products in scope with what their batches' quotes share.

    That is all of `policy_sql.product_terms`, `fingerprint` and `opening_rate`.
    """
    product = table_of(Product).c
    query = select(
        product.id.label("product_id"), product.category_key, product.base_price, product.unit_cost
    )
    if scope.category_key is not None:
        query = query.where(product.category_key == scope.category_key)
    terms = product_terms(policy, query.subquery())
    return fenced(
        select(
            *terms.c,
            product_fingerprint(policy, terms.c).label("fingerprint"),
            opening_rate(policy, terms.c).label("opening_rate"),
        )
    )


def join_candidates(scope: Scope, products: FromClause) -> Candidates:
    """Joins the batches in scope to what their quotes need.

    Args:
        scope: which batches.
        products: has the column `product_id`.
    """
    batch, open_ = table_of(Batch), table_of(Discount)
    stores = store_days(scope.now, on=scope.on)
    days_to_expiry = batch.c.expiry_date - stores.c.day
    # The dates are compared, not the days: the index knows dates.
    may_open = and_(
        batch.c.quantity > number(0),
        batch.c.expiry_date >= stores.c.day,
        batch.c.expiry_date <= stores.c.day + number(scope.days_threshold),
    )
    conditions: list[ColumnElement[bool]] = [or_(may_open, open_.c.batch_id.is_not(None))]
    if scope.batch_ids is not None:
        ids: ColumnElement[Any] = bindparam(None, list(scope.batch_ids), ARRAY(BigInteger))
        conditions.append(batch.c.id == ids.any_())
    if scope.store is not None:
        conditions.append(stores.c.code == scope.store)
    return Candidates(
        source=batch.join(products, products.c.product_id == batch.c.product_id)
        .join(stores, stores.c.store_id == batch.c.store_id)
        .outerjoin(open_, open_.c.batch_id == batch.c.id),
        is_candidate=and_(*conditions),
        products=products.c,
        days_to_expiry=days_to_expiry,
    )
