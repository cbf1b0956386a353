"""Models of current and past prices."""

from datetime import date, datetime

from pydantic import ConfigDict, Field

from api.schemas.discounts import Limits, Rule
from api.schemas.values import Amount, Rate, ResponseModel


class ReductionOut(ResponseModel):
    """A current price reduction, with the prior price by Directive 98/6/EC, article 6a(2)."""

    began_at: datetime = Field(
        description="Start of the reduction: since then the price has been reduced and has not risen. "
        "Successive price cuts count as one reduction."
    )
    prior_price: Amount = Field(
        description="Lowest price of the product in the store in the 30 days before the reduction began, "
        "among its base prices and the reduced prices of all its batches. For a newer product, only the "
        "known period counts. No national option is applied."
    )


class BasePriceOut(ResponseModel):
    """A base price and the period in which it is in force."""

    price: Amount
    valid_from: datetime
    valid_to: datetime | None = Field(description="End of the period; null if it is open.")


class BatchPriceOut(ResponseModel):
    """The price of one batch."""

    batch_id: int
    lot: str
    expiry_date: date | None
    price: Amount
    rate: Rate
    rule: Rule
    limits: Limits
    reduction: ReductionOut | None = Field(description="Null if the batch costs the base price.")


class ProductPriceOut(ResponseModel):
    """The prices of a product in a store."""

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
    reduction: ReductionOut | None = Field(
        description="Reduction of the batch with the lowest price; null if that is the base price."
    )
    batches: list[BatchPriceOut] = Field(
        description="Batches that can be sold today, by expiry date, earliest first; at most 1000."
    )


class PricePointOut(ResponseModel):
    """The lowest price in a store at the end of a six-hour slot."""

    slot_at: datetime
    price: Amount
    base_price: Amount


class PriceHistoryOut(ResponseModel):
    """The history of a product's lowest price in a store; a missing slot has the price of the one before."""

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
        description="Lowest price in force in the last 30 days, the current price included. Announce a "
        "reduction against its `prior_price` instead."
    )
    reduction: ReductionOut | None = Field(
        description="Reduction of the batch with the lowest current price; null if that is the base price."
    )
    base_prices: list[BasePriceOut] = Field(
        description="Base prices in force in the requested days, oldest first; earlier ones are unknown."
    )
    snapshots: list[PricePointOut]
