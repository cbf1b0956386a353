"""Models of import reports, with the same fields as `flexiprice import --json`."""

from pydantic import ConfigDict, Field

from api.schemas.tasks import RepricingOut
from api.schemas.values import ResponseModel


class CellProblemOut(ResponseModel):
    """One fault of a row."""

    column: str | None = Field(
        description="Column of the file; null if the fault is in the whole row.",
        examples=["Expiry date"],
    )
    reason: str = Field(
        description="Reason of the rejection, with the parameter that helps.",
        examples=["'24.12.2025' is not a date that begins with the year; date_format=%d.%m.%Y reads it"],
    )


class BadRowOut(ResponseModel):
    """A rejected row with its faults."""

    line: int = Field(description="Line of the file on which it begins, from 1.", examples=[17])
    problems: list[CellProblemOut] = Field(description="All faults of the row.")


class ImportWarningOut(ResponseModel):
    """A value that was converted or ignored; its row is imported."""

    line: int | None = Field(description="Line of the file; null if the warning is about the whole file.")
    column: str | None = Field(description="Column of the file; null if the warning is about a whole row.")
    message: str = Field(description="The value that was read, and the reason.")


class ImportReportOut(ResponseModel):
    """The report of an import: rows, products, batches and warnings."""

    read: int = Field(description="Number of rows that are not empty: `imported` + `bad`.")
    imported: int = Field(description="Number of imported rows; each is one batch.")
    bad: int = Field(description="Number of rejected rows.")
    bad_rows: list[BadRowOut] = Field(description="The first 1,000 rejected rows, by line.")
    products_new: int = Field(description="Products that did not exist.")
    products_updated: int = Field(description="Products that differed.")
    products_unchanged: int = Field(description="Products that did not differ.")
    products_contradictory: int = Field(description="Products with several names; the last name is kept.")
    batches_new: int = Field(description="Batches that did not exist.")
    batches_updated: int = Field(description="Batches whose quantity or expiry date differed.")
    batches_unchanged: int = Field(description="Batches that did not differ.")
    batches_sold_out: int = Field(
        description="Batches that a complete file left out; their quantity is 0 now."
    )
    expiry_dates_corrected: int = Field(
        description="Lots that were known with another expiry date; a warning names each."
    )
    without_expiry_date: int = Field(
        description="Imported rows without an expiry date; their batches are never discounted."
    )
    gtins_new: int = Field(description="GTINs that products gained.")
    store_prices_changed: int = Field(
        description="Prices by store that are new, differed, or ended because the file has one price."
    )
    warnings: list[ImportWarningOut] = Field(description="The first 1,000 warnings.")
    warning_count: int = Field(description="Number of all warnings.")
    columns: dict[str, str] = Field(description="Column of the file for each field.")
    unused_columns: list[str] = Field(description="Columns of the file that were ignored.")
    duration_seconds: float = Field(description="Duration in seconds.")


class BatchImportOut(ResponseModel):
    """The result of an upload of batches."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "report": {
                        "read": 1200,
                        "imported": 1199,
                        "bad": 1,
                        "bad_rows": [
                            {
                                "line": 17,
                                "problems": [{"column": "qty", "reason": "is empty, and it is required"}],
                            }
                        ],
                        "products_new": 0,
                        "products_updated": 0,
                        "products_unchanged": 0,
                        "products_contradictory": 0,
                        "batches_new": 80,
                        "batches_updated": 1100,
                        "batches_unchanged": 19,
                        "batches_sold_out": 0,
                        "expiry_dates_corrected": 0,
                        "without_expiry_date": 0,
                        "gtins_new": 0,
                        "store_prices_changed": 0,
                        "warnings": [],
                        "warning_count": 0,
                        "columns": {"sku": "sku", "quantity": "qty", "expiry_date": "expiry_date"},
                        "unused_columns": ["shelf"],
                        "duration_seconds": 0.1,
                    },
                    "dry_run": False,
                    "repricing": {"status": "queued", "task_id": "0b9f5e3c", "status_url": "/api/v1/…"},
                }
            ]
        }
    )

    report: ImportReportOut = Field(description="Report of the import.")
    dry_run: bool = Field(description="Whether it was a dry run, which writes nothing.")
    repricing: RepricingOut
