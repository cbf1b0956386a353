"""Discounts: those in force, how they came to be, and what a recompute would do to them."""

from datetime import date, datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from api.schemas.values import Amount, Given, Rate, Shown
from flexiprice.domain.catalog import CalendarDate, CategoryName, StoreCode
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.quote import Limit
from flexiprice.queue.status import JobStatus

Rule = Annotated[
    str | None,
    Field(description="The rule that decided; null where a price is held though no rule matches any more."),
]
Limits = Annotated[list[Limit], Field(description="What else changed the outcome.", examples=[["floor"]])]


class DiscountShown(Shown):
    """A discount in force: what it is for, what it costs, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "batch_id": 4711,
                    "store": "main",
                    "sku": "BREAD-RYE-1",
                    "product": "Rye bread 1 kg",
                    "category": "Bakery",
                    "lot": "L-0815",
                    "expiry_date": "2025-04-02",
                    "days_to_expiry": 1,
                    "quantity": 24,
                    "price": "2.09",
                    "base_price": "3.49",
                    "rate": "0.4011",
                    "rule": "bakery, tomorrow is the last day",
                    "limits": ["rounding"],
                    "policy_version": 3,
                    "opened_at": "2025-03-31T09:00:00Z",
                    "changed_at": "2025-04-01T09:00:00Z",
                }
            ]
        }
    )

    batch_id: int
    store: str
    sku: str
    product: str
    category: str
    lot: str
    expiry_date: date
    days_to_expiry: int
    quantity: int
    price: Amount
    base_price: Amount
    rate: Rate
    rule: Rule
    limits: Limits
    policy_version: int
    opened_at: datetime
    changed_at: datetime


class DecisionShown(Shown):
    """A line of the ledger: what happened to a batch's discount, when, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "batch_id": 4711,
                    "store": "main",
                    "sku": "BREAD-RYE-1",
                    "decided_at": "2025-04-01T09:00:00Z",
                    "kind": "changed",
                    "close_reason": None,
                    "price": "2.09",
                    "previous_price": "2.62",
                    "base_price": "3.49",
                    "unit_cost": "1.20",
                    "rate": "0.4011",
                    "rule": "bakery, tomorrow is the last day",
                    "limits": ["rounding"],
                    "policy_version": 3,
                    "expiry_date": "2025-04-02",
                    "days_to_expiry": 1,
                    "quantity": 24,
                }
            ]
        }
    )

    batch_id: int
    store: str | None = Field(description="Null where the store no longer exists.")
    sku: str | None = Field(description="Null where the product no longer exists.")
    decided_at: datetime
    kind: DecisionKind
    close_reason: CloseReason | None
    price: Amount | None = Field(description="Null where the discount closed.")
    previous_price: Amount | None = Field(description="Null where the discount opened.")
    base_price: Amount
    unit_cost: Amount | None
    rate: Rate | None
    rule: Rule
    limits: Limits
    policy_version: int
    expiry_date: date
    days_to_expiry: int = Field(description="As it was when this was decided.")
    quantity: int = Field(description="As it was when this was decided.")


class RecomputeResult(Shown):
    """What a recompute did."""

    considered: int = Field(description="Batches looked at: opened + changed + closed + unchanged.")
    opened: int
    changed: int
    closed: int
    unchanged: int
    duration_seconds: float


class FinishedRecompute(Shown):
    """A recompute that ran in the request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "succeeded",
                    "result": {
                        "considered": 421,
                        "opened": 12,
                        "changed": 3,
                        "closed": 1,
                        "unchanged": 405,
                        "duration_seconds": 0.021,
                    },
                }
            ]
        }
    )

    status: JobStatus
    result: RecomputeResult


class PreviewRequest(Given):
    """What to preview; what is left out is as a recompute now would have it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"category": "Bakery", "limit": 20},
                {
                    "policy": {
                        "rules": [{"name": "last day", "days_to_expiry": {"max": 0}, "discount": "0.50"}]
                    },
                    "on": "2025-04-02",
                },
            ]
        }
    )

    policy: dict[str, object] | None = Field(
        default=None, description="A policy document; by default the active policy."
    )
    on: CalendarDate | None = Field(default=None, description="By default each store's own date now.")
    days_threshold: Annotated[int, Field(ge=1, le=365)] | None = None
    store: StoreCode | None = None
    category: CategoryName | None = Field(default=None, description="In any spelling.")
    limit: int = Field(default=100, ge=1, le=500, description="List at most so many changes.")


class PreviewChangeShown(Shown):
    """What would happen to one batch's discount."""

    batch_id: int
    store: str
    sku: str
    product: str
    category: str
    lot: str
    expiry_date: date
    days_to_expiry: int
    quantity: int
    kind: DecisionKind
    close_reason: CloseReason | None
    price: Amount | None
    previous_price: Amount | None
    base_price: Amount
    rate: Rate | None
    rule: Rule
    limits: Limits


class CategoryTotalsShown(Shown):
    """What would change in one category."""

    category: str
    opened: int
    changed: int
    closed: int
    stock_value_before: Amount
    stock_value_after: Amount


class PreviewShown(Shown):
    """What a recompute would change; nothing has been written."""

    summary: RecomputeResult
    totals: list[CategoryTotalsShown]
    changes: list[PreviewChangeShown] = Field(description="The steepest price cuts first.")
    truncated: bool = Field(description="Whether there are more changes than are listed.")
