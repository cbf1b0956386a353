"""What an import did, in the words that `flexiprice import --json` has."""

from pydantic import ConfigDict, Field

from api.schemas.tasks import Repricing
from api.schemas.values import Shown


class CellProblemShown(Shown):
    """One thing wrong with a row."""

    column: str | None = Field(
        description="Column of the file where it is wrong; null where it is the whole row.",
        examples=["Expiry date"],
    )
    reason: str = Field(
        description="Why it cannot be used, with the parameter that helps.",
        examples=["'24.12.2025' is not a date that begins with the year; date_format=%d.%m.%Y reads it"],
    )


class BadRowShown(Shown):
    """A row that was left out, with all that is wrong with it."""

    line: int = Field(description="Line of the file on which it begins, from 1.", examples=[17])
    problems: list[CellProblemShown] = Field(description="All that is wrong with it.")


class ImportWarningShown(Shown):
    """Something that was read otherwise than it stands, or not read; its row is imported."""

    line: int | None = Field(description="Line of the file; null where it is about all of it.")
    column: str | None = Field(description="Column of the file; null where it is about a whole row.")
    message: str = Field(description="What was read, and why.")


class ImportReportShown(Shown):
    """What an import did, row by row and in the tables."""

    read: int = Field(description="Rows that were not empty: `imported` and `bad`.")
    imported: int = Field(description="Rows that are in the tables now; each is one batch.")
    bad: int = Field(description="Rows that were left out.")
    bad_rows: list[BadRowShown] = Field(description="The first 1,000 of them, by line.")
    products_new: int = Field(description="Products that did not exist.")
    products_updated: int = Field(description="Products that differed.")
    products_unchanged: int = Field(description="Products that were so already.")
    products_contradictory: int = Field(description="Products with several names; the last one is kept.")
    batches_new: int = Field(description="Batches that did not exist.")
    batches_updated: int = Field(description="Batches whose quantity differed.")
    batches_unchanged: int = Field(description="Batches that had that quantity already.")
    warnings: list[ImportWarningShown] = Field(description="The first 1,000 warnings.")
    warning_count: int = Field(description="How many warnings there are in all.")
    columns: dict[str, str] = Field(description="The column that each field was read from.")
    unused_columns: list[str] = Field(description="Columns that nothing was read from.")
    duration_seconds: float = Field(description="How long it took.")


class BatchesImported(Shown):
    """What became of an upload of batches."""

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

    report: ImportReportShown = Field(description="What was read, left out and written.")
    dry_run: bool = Field(description="Whether it was a rehearsal that has written nothing.")
    repricing: Repricing
