"""Models of discounts, decisions, recomputes and previews."""

from datetime import date, datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from api.schemas.catalogue import BatchIdentityOut
from api.schemas.values import Amount, QuantityOut, Rate, RequestModel, ResponseModel
from flexiprice.domain.catalog import CalendarDate, CategoryName, StoreCode
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.quote import Limit
from flexiprice.queue.status import JobStatus

Rule = Annotated[
    str | None,
    Field(description="The deciding rule; null if the price is held although no rule matches any more."),
]
Limits = Annotated[list[Limit], Field(description="Limits that changed the price.", examples=[["floor"]])]


class DiscountOut(BatchIdentityOut):
    """A discount in force, with its batch, its price and the reason."""

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
                    "quantity": "24",
                    "unit": "each",
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

    price: Amount
    base_price: Amount
    rate: Rate
    rule: Rule
    limits: Limits
    policy_version: int
    opened_at: datetime
    changed_at: datetime


class DecisionOut(ResponseModel):
    """An entry of the ledger: one decision on a batch's discount, with its reason."""

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
                    "quantity": "24",
                    "unit": "each",
                }
            ]
        }
    )

    batch_id: int
    store: str | None = Field(description="Code of the store; null if it no longer exists.")
    sku: str | None = Field(description="The product's code; null if it no longer exists.")
    decided_at: datetime
    kind: DecisionKind
    close_reason: CloseReason | None
    price: Amount | None = Field(description="Price of a unit; null if the discount closed.")
    previous_price: Amount | None = Field(description="Previous price; null if the discount opened.")
    base_price: Amount
    unit_cost: Amount | None
    rate: Rate | None
    rule: Rule
    limits: Limits
    policy_version: int
    expiry_date: date | None
    days_to_expiry: int | None = Field(
        description="Days to expiry at the time of the decision; null without an expiry date."
    )
    quantity: QuantityOut = Field(description="Stock at the time of the decision, in the product's unit.")


class RecomputeSummaryOut(ResponseModel):
    """The counts of a recompute."""

    considered: int = Field(description="Considered batches: opened + changed + closed + unchanged.")
    opened: int
    changed: int
    closed: int
    unchanged: int
    duration_seconds: float


class FinishedRecomputeOut(ResponseModel):
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
    result: RecomputeSummaryOut


class PreviewRequest(RequestModel):
    """Parameters of a preview; omitted ones are those of a recompute now."""

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
    on: CalendarDate | None = Field(
        default=None, description="Date to price for; by default the current date of each store."
    )
    days_threshold: Annotated[int, Field(ge=1, le=365)] | None = None
    store: StoreCode | None = None
    category: CategoryName | None = Field(
        default=None, description="Limits the preview to this category, in any spelling."
    )
    limit: int = Field(default=100, ge=1, le=500, description="Maximum number of listed changes.")


class PreviewChangeOut(BatchIdentityOut):
    """The previewed change of one batch's discount."""

    kind: DecisionKind
    close_reason: CloseReason | None
    price: Amount | None
    previous_price: Amount | None
    base_price: Amount
    rate: Rate | None
    rule: Rule
    limits: Limits


class CategoryTotalsOut(ResponseModel):
    """The previewed changes of one category, in total."""

    category: str
    opened: int
    changed: int
    closed: int
    stock_value_before: Amount
    stock_value_after: Amount


class PreviewOut(ResponseModel):
    """A preview of a recompute; nothing was written."""

    summary: RecomputeSummaryOut
    totals: list[CategoryTotalsOut]
    changes: list[PreviewChangeOut] = Field(description="The changes, largest price cuts first.")
    truncated: bool = Field(description="Whether more changes exist than are listed.")
