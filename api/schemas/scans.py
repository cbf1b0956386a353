"""Models of scans."""

from datetime import date, time
from decimal import Decimal
from typing import Annotated, Self

from pydantic import ConfigDict, Field, PlainSerializer, StringConstraints, WithJsonSchema

from api.schemas.catalogue import BatchOut
from api.schemas.tasks import RepricingOut
from api.schemas.values import QuantityOut, RequestModel, ResponseModel
from flexiprice.catalog.gs1 import MAX_SCAN_LENGTH
from flexiprice.catalog.scans import RecordedScan, ScanMode
from flexiprice.db.tables import MAIN_STORE
from flexiprice.domain.catalog import StoreCode
from flexiprice.domain.quantity import Quantity


def _plain(number: Decimal) -> str:
    return f"{number:f}"


Measured = Annotated[
    Decimal,
    PlainSerializer(_plain, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "examples": ["1.250"]}),
]


class ScanCreate(RequestModel):
    """A scanned code, and the quantity that was delivered or counted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"store": "main", "code": "(01)04006381333931(17)261231(10)L-0815", "quantity": 12},
                {"code": "https://id.gs1.org/01/04006381333931/10/L-0815?17=261231", "quantity": 3},
                {"code": "4006381333931", "quantity": 24, "mode": "set"},
            ]
        }
    )

    store: StoreCode = MAIN_STORE
    code: Annotated[
        str,
        StringConstraints(min_length=1, max_length=MAX_SCAN_LENGTH),
        Field(
            description="Text that the scanner sends: GS1 element strings with GS (0x1D) as separator, a GS1 "
            "Digital Link, or a GTIN."
        ),
    ]
    quantity: Annotated[
        Quantity | None,
        Field(
            description="Quantity in the product's unit. By default the count in the code, or 1, and for a "
            "product in `kg` the weight in the code; required by `set`."
        ),
    ] = None
    mode: ScanMode = Field(
        default=ScanMode.ADD,
        description="`add` adds the quantity, as a delivery; `set` sets the stock, as a count.",
    )


class ScanElementsOut(ResponseModel):
    """The data of a code; null where it has none."""

    gtin: str = Field(description="GTIN of 14 digits, of AI 01 or 02.", examples=["04006381333931"])
    lot: str | None = Field(description="Lot, of AI 10.", examples=["L-0815"])
    serial: str | None = Field(description="Serial number, of AI 21.")
    best_before: date | None = Field(description="Best before date, of AI 15.")
    use_by: date | None = Field(description="Use by date, of AI 17 or 7003.", examples=["2026-12-31"])
    use_by_time: time | None = Field(description="Time in the store at which it expires, of AI 7003.")
    weight: Measured | None = Field(description="Net weight in kg, of AI 310n.")
    price: Measured | None = Field(description="Amount payable, of AI 392n.")
    count: int | None = Field(description="Units in the package, of AI 37 or 30.")
    elements: dict[str, str] = Field(
        description="All values of the code by application identifier.",
        examples=[{"01": "04006381333931", "17": "261231", "10": "L-0815"}],
    )


class RecordedScanOut(ResponseModel):
    """A recorded scan: its batch after the change, and the data of its code."""

    batch: BatchOut = Field(description="The batch after the change.")
    created: bool = Field(description="Whether the scan made the batch.")
    quantity_before: QuantityOut = Field(description="Stock before; 0 if the scan made the batch.")
    expiry_date_before: date | None = Field(
        description="Expiry date of the batch before the scan corrected it; null if it stayed, or was none."
    )
    scan: ScanElementsOut = Field(description="Data of the code.")

    @classmethod
    def of_recorded(cls, recorded: RecordedScan) -> Self:
        """Converts a recorded scan."""
        scan = recorded.scan
        return cls(
            batch=BatchOut.of(recorded.batch),
            created=recorded.created,
            quantity_before=recorded.quantity_before,
            expiry_date_before=recorded.expiry_date_before,
            scan=ScanElementsOut(
                gtin=scan.gtin,
                lot=scan.lot,
                serial=scan.serial,
                best_before=scan.best_before,
                use_by=scan.use_by,
                use_by_time=scan.use_by_time,
                weight=scan.weight,
                price=scan.price,
                count=scan.count,
                elements=dict(scan.elements),
            ),
        )


class ScanOut(RecordedScanOut):
    """A recorded scan, and the repricing of its batch."""

    repricing: RepricingOut
