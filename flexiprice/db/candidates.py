"""The batches that a recompute quotes, beside their products, their stores' dates and open discounts."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, FromClause, Subquery, and_, case, func, or_, select

from flexiprice.db.cells import in_no_other_cell
from flexiprice.db.cents import RATE_PARTS, number
from flexiprice.db.fingerprint import batch_fingerprint, product_fingerprint
from flexiprice.db.opening_rate import opening_rate
from flexiprice.db.policy_sql import Columns, fenced, product_terms
from flexiprice.db.policy_sql_rules import matched_rule
from flexiprice.db.recompute_scope import BATCH_IDS, CATEGORY_KEY, DAYS_THRESHOLD, NOW, ON, STORE, Narrowing
from flexiprice.db.store_days import same_day_everywhere, store_days_at
from flexiprice.db.tables import Batch, Discount, Product, table_of
from flexiprice.domain.policy import PricingPolicy


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


def priced_products(policy: PricingPolicy, narrowings: Collection[Narrowing]) -> Subquery:
    """The products in scope with what their batches' quotes share.

    That is all of `policy_sql.product_terms`, `fingerprint` and `opening_rate`.
    """
    product = table_of(Product).c
    query = select(
        product.id.label("product_id"), product.category_key, product.base_price, product.unit_cost
    )
    if Narrowing.CATEGORY_KEY in narrowings:
        query = query.where(product.category_key == CATEGORY_KEY)
    terms = product_terms(policy, query.subquery())
    return fenced(
        select(
            *terms.c,
            product_fingerprint(policy, terms.c).label("fingerprint"),
            opening_rate(policy, terms.c).label("opening_rate"),
        )
    )


def join_candidates(products: FromClause, narrowings: Collection[Narrowing]) -> Candidates:
    """Joins the batches in scope to what their quotes need.

    Args:
        products: has the column `product_id`.
        narrowings: which of the scope's conditions there are.
    """
    batch, open_ = table_of(Batch), table_of(Discount)
    stores = same_day_everywhere(ON) if Narrowing.ON in narrowings else store_days_at(NOW)
    may_open = and_(
        batch.c.quantity > number(0),
        batch.c.expiry_date >= stores.c.day,
        batch.c.expiry_date <= stores.c.day + DAYS_THRESHOLD,
    )
    conditions: list[ColumnElement[bool]] = [or_(may_open, open_.c.batch_id.is_not(None))]
    if Narrowing.BATCH_IDS in narrowings:
        conditions.append(batch.c.id == BATCH_IDS.any_())
    if Narrowing.STORE in narrowings:
        conditions.append(stores.c.code == STORE)
    if Narrowing.OTHER_CELLS in narrowings:
        conditions.append(in_no_other_cell())
    return Candidates(
        source=batch.join(products, products.c.product_id == batch.c.product_id)
        .join(stores, stores.c.store_id == batch.c.store_id)
        .outerjoin(open_, open_.c.batch_id == batch.c.id),
        is_candidate=and_(*conditions),
        products=products.c,
        days_to_expiry=batch.c.expiry_date - stores.c.day,
    )
