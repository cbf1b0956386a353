"""What a product costs, now and before."""

from datetime import date, datetime

from pydantic import ConfigDict, Field

from api.schemas.discounts import Limits, Rule
from api.schemas.values import Amount, Rate, Shown


class ReductionShown(Shown):
    """A price reduction that stands, and the prior price by Directive 98/6/EC, article 6a(2)."""

    began_at: datetime = Field(
        description="Since when the price is reduced and has not risen. A reduction that only grows is one."
    )
    prior_price: Amount = Field(
        description="The lowest price of the product in the store in the 30 days before the reduction began: "
        "of its base prices and of the reduced prices of all its batches. Of the time that is known, where "
        "the product is newer. No national option is applied."
    )


class BasePriceShown(Shown):
    """A base price and when it was in force."""

    price: Amount
    valid_from: datetime
    valid_to: datetime | None = Field(description="Null where it is in force until further notice.")


class BatchPriceShown(Shown):
    """The price of one batch."""

    batch_id: int
    lot: str
    expiry_date: date
    price: Amount
    rate: Rate
    rule: Rule
    limits: Limits
    reduction: ReductionShown | None = Field(description="Null where the batch costs the base price.")


class ProductPriceShown(Shown):
    """What a product costs in a store."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sku": "BREAD-RYE-1",
                    "store": "main",
                    "currency": "EUR",
                    "base_price": "3.49",
                    "lowest_price": "2.09",
                    "reduction": {"began_at": "2025-04-01T06:00:00Z", "prior_price": "3.29"},
                    "batches": [
                        {
                            "batch_id": 4711,
                            "lot": "L-0815",
                            "expiry_date": "2025-04-02",
                            "price": "2.09",
                            "rate": "0.4011",
                            "rule": "bakery, tomorrow is the last day",
                            "limits": ["rounding"],
                            "reduction": {"began_at": "2025-04-01T06:00:00Z", "prior_price": "3.29"},
                        },
                        {
                            "batch_id": 4802,
                            "lot": "L-0816",
                            "expiry_date": "2025-04-09",
                            "price": "3.49",
                            "rate": "0.0000",
                            "rule": None,
                            "limits": [],
                            "reduction": None,
                        },
                    ],
                }
            ]
        }
    )

    sku: str
    store: str
    currency: str
    base_price: Amount
    lowest_price: Amount
    reduction: ReductionShown | None = Field(
        description="That of the batch which has the lowest price; null where that is the base price."
    )
    batches: list[BatchPriceShown] = Field(
        description="Batches that can be sold today, the one that expires first first; at most 1000."
    )


class PricePointShown(Shown):
    """The lowest price in a store at the end of a six-hour slot."""

    slot_at: datetime
    price: Amount
    base_price: Amount


class PriceHistoryShown(Shown):
    """How a product's lowest price in a store went; a slot that is not listed has the price before it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sku": "BREAD-RYE-1",
                    "store": "main",
                    "currency": "EUR",
                    "lowest_30_days": "2.09",
                    "reduction": {"began_at": "2025-04-01T06:00:00Z", "prior_price": "3.29"},
                    "base_prices": [
                        {
                            "price": "3.29",
                            "valid_from": "2025-01-07T05:30:00Z",
                            "valid_to": "2025-03-20T05:30:00Z",
                        },
                        {"price": "3.49", "valid_from": "2025-03-20T05:30:00Z", "valid_to": None},
                    ],
                    "snapshots": [
                        {"slot_at": "2025-04-01T06:00:00Z", "price": "2.62", "base_price": "3.49"},
                        {"slot_at": "2025-04-01T12:00:00Z", "price": "2.09", "base_price": "3.49"},
                    ],
                }
            ]
        }
    )

    sku: str
    store: str
    currency: str
    lowest_30_days: Amount = Field(
        description="The lowest price in force in the last 30 days, the price now included. What a reduction "
        "is announced against is its `prior_price`."
    )
    reduction: ReductionShown | None = Field(
        description="Of the batch which has the lowest price now; null where that is the base price."
    )
    base_prices: list[BasePriceShown] = Field(
        description="In force in the days that were asked for, the oldest first. Earlier ones are not known."
    )
    snapshots: list[PricePointShown]
