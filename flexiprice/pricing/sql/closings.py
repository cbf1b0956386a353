"""Closes discounts whatever the policy says."""

from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Select, case, null, or_, select

from flexiprice.catalog.local_dates import local_dates_at
from flexiprice.db.statements import CompiledStatement
from flexiprice.db.tables import Batch, Discount, Product
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.pricing.sql.change_set import typed
from flexiprice.pricing.sql.selection import BATCH_IDS, NOW
from flexiprice.pricing.sql.values import constant, number
from flexiprice.pricing.sql.writes import compile_writing


@lru_cache
def compile_closing_expired(dialect: Dialect) -> CompiledStatement:
    """The statement that closes all discounts whose batches, at `now`, are expired or have no stock."""
    stores = local_dates_at(NOW)
    days_to_expiry = Batch.expiry_date - stores.c.day
    is_over = days_to_expiry < number(0)
    reason = case((is_over, constant(CloseReason.EXPIRED)), else_=constant(CloseReason.SOLD_OUT))
    closings = _closings(days_to_expiry, reason).join(stores, stores.c.store_id == Batch.store_id)
    return compile_writing(closings.where(or_(is_over, Batch.quantity == number(0))), dialect)


@lru_cache
def compile_closing_deleted(dialect: Dialect) -> CompiledStatement:
    """The statement that closes the discounts of `batch_ids`, which are about to be deleted, at `now`."""
    stores = local_dates_at(NOW)
    closings = _closings(Batch.expiry_date - stores.c.day, constant(CloseReason.DELETED))
    chosen = closings.join(stores, stores.c.store_id == Batch.store_id).where(Batch.id == BATCH_IDS.any_())
    return compile_writing(chosen, dialect)


def _closings(days_to_expiry: ColumnElement[Any], reason: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    # The batch's and the product's columns as they are now, the discount's price and policy as they were.
    columns = typed(
        batch_id=Discount.batch_id,
        store_id=Batch.store_id,
        product_id=Batch.product_id,
        kind=constant(DecisionKind.CLOSED),
        close_reason=reason,
        price=null(),
        previous_price=Discount.price,
        base_price=Product.base_price,
        unit_cost=Product.unit_cost,
        rate=null(),
        rule=null(),
        limits=number(0),
        policy_version=Discount.policy_version,
        expiry_date=Batch.expiry_date,
        days_to_expiry=days_to_expiry,
        quantity=Batch.quantity,
        fingerprint=Discount.fingerprint,
    )
    return (
        select(*columns)
        .select_from(Discount)
        .join(Batch, Batch.id == Discount.batch_id)
        .join(Product, Product.id == Batch.product_id)
    )
