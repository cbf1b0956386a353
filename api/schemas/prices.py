"""What a product costs, now and before."""

from datetime import date, datetime

from pydantic import ConfigDict, Field

from api.schemas.discounts import Limits, Rule
from api.schemas.values import Amount, Rate, Shown


class BatchPriceShown(Shown):
    """The price of one batch."""

    batch_id: int
    lot: str
    expiry_date: date
    price: Amount
    rate: Rate
    rule: Rule
    limits: Limits


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
                    "batches": [
                        {
                            "batch_id": 4711,
                            "lot": "L-0815",
                            "expiry_date": "2025-04-02",
                            "price": "2.09",
                            "rate": "0.4011",
                            "rule": "bakery, tomorrow is the last day",
                            "limits": ["rounding"],
                        },
                        {
                            "batch_id": 4802,
                            "lot": "L-0816",
                            "expiry_date": "2025-04-09",
                            "price": "3.49",
                            "rate": "0.0000",
                            "rule": None,
                            "limits": [],
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
    lowest_30_days: Amount = Field(description="The lowest price in force in the last 30 days.")
    snapshots: list[PricePointShown]
