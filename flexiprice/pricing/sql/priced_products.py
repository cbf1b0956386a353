"""The products of a recompute with the terms that their quotes share, computed once a product.

Where a store has a price of its own, the terms are computed once more, for product and store. A batch takes
these by an outer join: the planner then expects as many batches as without.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Subquery, Table, and_, case, select
from sqlalchemy.sql.base import WriteableColumnCollection

from flexiprice.db.statements import optimization_barrier
from flexiprice.db.store_price_tables import StorePrice
from flexiprice.db.tables import Batch, Product, table_of
from flexiprice.pricing.sql.compiled_policy import CompiledPolicy
from flexiprice.pricing.sql.fingerprint import min_opening_rate, product_fingerprint
from flexiprice.pricing.sql.policy import Columns, product_terms
from flexiprice.pricing.sql.selection import BATCH_IDS, CATEGORY_KEY, SelectionFilter

# A store's own price cannot change these, so they are taken from the product.
_OF_THE_PRODUCT = frozenset(("product_id", "category_key", "unit_cost", "unit", "scope"))


@dataclass(frozen=True, slots=True)
class PricedProducts:
    """Products with their terms.

    Attributes:
        products: with the product's base price, once each.
        exceptions: with the price of a store, once for each product and store that has one; None where no
            store has any.
    """

    products: Subquery
    exceptions: Subquery | None

    @property
    def columns(self) -> Columns:
        """The columns of a batch's product, with those of its store's own price, after `join_to`."""
        if self.exceptions is None:
            return self.products.c
        own = self.exceptions.c
        chosen: list[tuple[str, ColumnElement[Any]]] = [
            (name, column if name in _OF_THE_PRODUCT else _own_or(own.product_id, own[name], column))
            for name, column in self.products.c.items()
        ]
        return WriteableColumnCollection[str, Any](chosen).as_readonly()

    def limited_to(self, *names: str) -> "PricedProducts":
        """Returns them with these columns and those of the join alone."""
        products = optimization_barrier(select(*(self.products.c[name] for name in ("product_id", *names))))
        if self.exceptions is None:
            return PricedProducts(products, None)
        own = self.exceptions.c
        different = (name for name in names if name not in _OF_THE_PRODUCT)
        return PricedProducts(
            products,
            optimization_barrier(select(own.product_id, own.store_id, *(own[name] for name in different))),
        )

    def join_to(self, batch: Table) -> FromClause:
        """Joins batches with their products."""
        joined = batch.join(self.products, self.products.c.product_id == batch.c.product_id)
        if self.exceptions is None:
            return joined
        own = self.exceptions.c
        return joined.outerjoin(
            self.exceptions,
            and_(own.product_id == batch.c.product_id, own.store_id == batch.c.store_id),
        )


def priced_products(policy: CompiledPolicy, filters: Collection[SelectionFilter]) -> PricedProducts:
    """Selects the products of the selected batches, or more, with the terms that their quotes share.

    These are the columns of `policy.product_terms`, `fingerprint` and `min_opening_rate`.
    """
    product, store = table_of(Product).c, table_of(StorePrice)
    default = select(product.id.label("product_id"), product.base_price, *_inputs())
    products = _terms(policy, _chosen(default, filters))
    if SelectionFilter.STORE_PRICES not in filters:
        return PricedProducts(products, None)
    of_stores = select(
        product.id.label("product_id"), store.c.store_id, store.c.price.label("base_price"), *_inputs()
    ).join_from(table_of(Product), store, store.c.product_id == product.id)
    return PricedProducts(products, _terms(policy, _chosen(of_stores, filters)))


def _inputs() -> tuple[ColumnElement[object], ...]:
    product = table_of(Product).c
    return product.category_key, product.unit_cost, product.unit


def _chosen(
    query: Select[tuple[object, ...]], filters: Collection[SelectionFilter]
) -> Select[tuple[object, ...]]:
    product, batch = table_of(Product).c, table_of(Batch).c
    if SelectionFilter.CATEGORY_KEY in filters:
        query = query.where(product.category_key == CATEGORY_KEY)
    # Not by the stale batches of a pass over all: looking up each costs about as much as a product's terms.
    if SelectionFilter.BATCH_IDS in filters:
        named = select(batch.product_id).where(batch.id == BATCH_IDS.any_())
        query = query.where(product.id.in_(named))
    return query


def _terms(policy: CompiledPolicy, products: Select[tuple[object, ...]]) -> Subquery:
    terms = product_terms(policy, products.subquery())
    return optimization_barrier(
        select(
            *terms.c,
            product_fingerprint(policy, terms.c).label("fingerprint"),
            min_opening_rate(policy, terms.c).label("min_opening_rate"),
        )
    )


def _own_or(
    exists: ColumnElement[int], own: ColumnElement[object], default: ColumnElement[object]
) -> ColumnElement[object]:
    return case((exists.is_not(None), own), else_=default)
