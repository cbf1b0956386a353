"""Models of stores, products and batches."""

from datetime import date, datetime
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api.schemas.tasks import RepricingOut
from api.schemas.values import LEFT_OUT, Amount, QuantityOut, RequestModel, ResponseModel
from flexiprice.db.tables import MAIN_STORE
from flexiprice.domain.catalog import (
    BasePrice,
    CalendarDate,
    CategoryName,
    Gtin,
    Lot,
    ProductName,
    Sku,
    StoreCode,
    TimeZoneName,
    UnitCost,
)
from flexiprice.domain.quantity import Quantity, QuantityDelta, Unit

MAX_GTINS: Final = 100

Gtins = Annotated[list[Gtin], Field(max_length=MAX_GTINS)]


class StoreCreate(RequestModel):
    """A store to create."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "berlin", "time_zone": "Europe/Berlin"}]}
    )

    code: StoreCode
    time_zone: TimeZoneName = "UTC"


class StoreUpdate(RequestModel):
    """A change of a store."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"time_zone": "Europe/Berlin"}]})

    time_zone: TimeZoneName


class StoreOut(ResponseModel):
    """A store; its dates are those of its time zone."""

    code: str = Field(description="Short name of the store.", examples=["main"])
    time_zone: str = Field(examples=["Europe/Berlin"])
    created_at: datetime
    updated_at: datetime


class ChangedStoreOut(StoreOut):
    """A store after a change."""

    repricing: RepricingOut


class ProductCreate(RequestModel):
    """A product to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sku": "BREAD-RYE-1",
                    "name": "Rye bread 1 kg",
                    "category": "Bakery",
                    "base_price": "3.49",
                    "unit_cost": "1.20",
                    "gtins": ["4006381333931"],
                }
            ]
        }
    )

    sku: Sku
    name: ProductName
    category: CategoryName
    base_price: BasePrice
    unit_cost: UnitCost | None = None
    unit: Unit = Unit.EACH
    gtins: Gtins = Field(default_factory=list[str])


class ProductUpdate(RequestModel):
    """A change of a product; omitted fields stay. A `unit_cost` of null removes it. `gtins` replace all."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"base_price": "3.29"}]})

    sku: Sku = LEFT_OUT
    name: ProductName = LEFT_OUT
    category: CategoryName = LEFT_OUT
    base_price: BasePrice = LEFT_OUT
    unit_cost: UnitCost | None = LEFT_OUT
    unit: Unit = LEFT_OUT
    gtins: Gtins = LEFT_OUT


class ProductOut(ResponseModel):
    """A product."""

    sku: str = Field(examples=["BREAD-RYE-1"])
    name: str = Field(examples=["Rye bread 1 kg"])
    category: str = Field(examples=["Bakery"])
    base_price: Amount
    unit_cost: Amount | None
    unit: Unit
    gtins: list[str] = Field(description="GTINs, of 14 digits each.", examples=[["04006381333931"]])
    created_at: datetime
    updated_at: datetime


class ChangedProductOut(ProductOut):
    """A product after a change."""

    repricing: RepricingOut


class BatchCreate(RequestModel):
    """A batch to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "store": "main",
                    "sku": "BREAD-RYE-1",
                    "lot": "L-0815",
                    "expiry_date": "2025-04-02",
                    "quantity": "24",
                }
            ]
        }
    )

    store: StoreCode = MAIN_STORE
    sku: Sku
    lot: Lot = ""
    expiry_date: CalendarDate | None
    quantity: Quantity


class BatchUpdate(RequestModel):
    """A change of a batch; omitted fields stay.

    `quantity` sets the stock. `quantity_delta` adds to it (negative for a sale), and is safe with concurrent
    changes.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"quantity_delta": -3}],
            "not": {"required": ["quantity", "quantity_delta"]},
        }
    )

    lot: Lot = LEFT_OUT
    expiry_date: CalendarDate | None = LEFT_OUT
    quantity: Quantity = LEFT_OUT
    quantity_delta: QuantityDelta = LEFT_OUT

    @model_validator(mode="after")
    def _counts_once(self) -> Self:
        if {"quantity", "quantity_delta"} <= self.model_fields_set:
            raise PydanticCustomError("quantity_twice", "give quantity or quantity_delta, not both")
        return self


class BatchIdentityOut(ResponseModel):
    """A batch with its product and its days to expiry; base of the models that list batches."""

    batch_id: int = Field(examples=[4711])
    store: str = Field(examples=["main"])
    sku: str = Field(examples=["BREAD-RYE-1"])
    product: str = Field(examples=["Rye bread 1 kg"])
    category: str = Field(examples=["Bakery"])
    lot: str = Field(examples=["L-0815"])
    expiry_date: date | None
    days_to_expiry: int | None = Field(examples=[2])
    quantity: QuantityOut
    unit: Unit


class BatchOut(BatchIdentityOut):
    """A batch; its days to expiry are counted from the current date in its store."""

    created_at: datetime
    updated_at: datetime


class ChangedBatchOut(BatchOut):
    """A batch after a change."""

    repricing: RepricingOut
