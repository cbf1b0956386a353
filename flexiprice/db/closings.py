"""Discounts that close whatever the policy says, as SELECTs of the columns of `changes_table.CHANGES`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, case, cast, literal, null, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from flexiprice.db.cents import number
from flexiprice.db.store_days import store_days
from flexiprice.db.tables import Batch, Discount, PriceDecision, Product
from flexiprice.domain.decision import CloseReason, DecisionKind

_REASON = PriceDecision.close_reason.type


def select_expired_or_sold_out(now: datetime) -> Select[*tuple[Any, ...]]:
    """Closes every discount whose batch is past its expiry date in its store, or has no stock."""
    stores = store_days(now)
    days_to_expiry = Batch.expiry_date - stores.c.day
    reason = case(
        (days_to_expiry < number(0), literal(CloseReason.EXPIRED, _REASON)),
        else_=literal(CloseReason.SOLD_OUT, _REASON),
    )
    closings = _closings(days_to_expiry, reason).join(stores, stores.c.store_id == Batch.store_id)
    return closings.where(or_(days_to_expiry < number(0), Batch.quantity == number(0)))


def select_deleted(batch_ids: Sequence[int], now: datetime) -> Select[*tuple[Any, ...]]:
    """Closes the discounts of batches that are about to be deleted."""
    stores = store_days(now)
    closings = _closings(Batch.expiry_date - stores.c.day, literal(CloseReason.DELETED, _REASON))
    ids: ColumnElement[Any] = bindparam(None, list(batch_ids), ARRAY(BigInteger))
    return closings.join(stores, stores.c.store_id == Batch.store_id).where(Batch.id == ids.any_())


def _closings(
    days_to_expiry: ColumnElement[Any], reason: ColumnElement[CloseReason]
) -> Select[*tuple[Any, ...]]:
    # The batch's and the product's columns as they are now, the discount's price and policy as they were.
    nothing = {
        name: cast(null(), getattr(PriceDecision, name).type).label(name)
        for name in ("price", "rate", "rule")
    }
    return (
        select(
            Discount.batch_id,
            Batch.store_id,
            Batch.product_id,
            literal(DecisionKind.CLOSED, PriceDecision.kind.type).label("kind"),
            reason.label("close_reason"),
            Discount.price.label("previous_price"),
            Product.base_price,
            Product.unit_cost,
            number(0).label("limits"),
            Discount.policy_version,
            Batch.expiry_date,
            days_to_expiry.label("days_to_expiry"),
            Batch.quantity,
            Discount.fingerprint,
            *nothing.values(),
        )
        .select_from(Discount)
        .join(Batch, Batch.id == Discount.batch_id)
        .join(Product, Product.id == Batch.product_id)
    )
