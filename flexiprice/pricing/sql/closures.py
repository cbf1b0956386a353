"""Closes discounts independently of the policy: of expired, sold out and deleted batches."""

from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Select, case, null, or_, select

from flexiprice.catalog.local_dates import local_dates_at
from flexiprice.catalog.store_prices import base_price, of_store
from flexiprice.db.statements import CompiledStatement
from flexiprice.db.store_price_tables import StorePrice
from flexiprice.db.tables import Batch, Discount, Product
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.pricing.sql.change_set import typed_columns
from flexiprice.pricing.sql.selection import BATCH_IDS, NOW
from flexiprice.pricing.sql.values import enum_literal, int_literal
from flexiprice.pricing.sql.writes import compile_writing


@lru_cache
def compile_closing_expired(dialect: Dialect) -> CompiledStatement:
    """Compiles the statement that closes the discounts of batches that are expired or sold out at `now`."""
    stores = local_dates_at(NOW)
    days_to_expiry = Batch.expiry_date - stores.c.day
    is_expired = days_to_expiry < int_literal(0)
    reason = case((is_expired, enum_literal(CloseReason.EXPIRED)), else_=enum_literal(CloseReason.SOLD_OUT))
    closures = _closures(days_to_expiry, reason).join(stores, stores.c.store_id == Batch.store_id)
    return compile_writing(closures.where(or_(is_expired, Batch.quantity == int_literal(0))), dialect)


@lru_cache
def compile_closing_deleted(dialect: Dialect) -> CompiledStatement:
    """Compiles the statement that closes the discounts of `batch_ids` as deleted at `now`."""
    stores = local_dates_at(NOW)
    closures = _closures(Batch.expiry_date - stores.c.day, enum_literal(CloseReason.DELETED))
    chosen = closures.join(stores, stores.c.store_id == Batch.store_id).where(Batch.id == BATCH_IDS.any_())
    return compile_writing(chosen, dialect)


def _closures(days_to_expiry: ColumnElement[Any], reason: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    # Columns of batch and product are current; price and policy version are those of the discount.
    columns = typed_columns(
        batch_id=Discount.batch_id,
        store_id=Batch.store_id,
        product_id=Batch.product_id,
        kind=enum_literal(DecisionKind.CLOSED),
        close_reason=reason,
        price=null(),
        previous_price=Discount.price,
        base_price=base_price(),
        unit_cost=Product.unit_cost,
        rate=null(),
        rule=null(),
        limits=int_literal(0),
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
        .outerjoin(StorePrice, of_store(Batch.product_id, Batch.store_id))
    )
