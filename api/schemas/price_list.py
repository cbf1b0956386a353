"""Models of the price list, and of its imports."""

from datetime import date, datetime

from pydantic import Field

from api.schemas.imports import BadRowOut, ImportWarningOut
from api.schemas.tasks import RepricingOut
from api.schemas.values import Amount, ResponseModel


class ListedPriceOut(ResponseModel):
    """An entry of the price list: a base price on some days, in a store or in all."""

    price_id: int = Field(description="Id of the entry.", examples=[17])
    sku: str = Field(examples=["BREAD-RYE-1"])
    store: str | None = Field(description="Code of the store; null for all stores.", examples=["main"])
    price: Amount
    valid_from: date = Field(description="First day, in the store's calendar.", examples=["2025-04-07"])
    valid_until: date | None = Field(description="Last day; null without an end.", examples=["2025-04-13"])
    created_at: datetime


class DeletedPriceOut(ListedPriceOut):
    """The entry that was deleted."""

    repricing: RepricingOut


class PriceReportOut(ResponseModel):
    """The report of an import of prices."""

    read: int = Field(description="Number of rows that are not empty: `imported` + `bad`.")
    imported: int = Field(description="Number of imported rows.")
    bad: int = Field(description="Number of rejected rows.")
    bad_rows: list[BadRowOut] = Field(description="The first 1,000 rejected rows, by line.")
    products_updated: int = Field(description="Products whose base price differed.")
    products_unchanged: int = Field(description="Products whose base price did not differ.")
    prices_new: int = Field(description="New entries of the price list.")
    prices_updated: int = Field(description="Entries with another price or last day.")
    prices_ended: int = Field(description="Entries for all stores that the base price of a product replaced.")
    prices_unchanged: int = Field(description="Entries that did not differ.")
    warnings: list[ImportWarningOut] = Field(description="The first 1,000 warnings.")
    warning_count: int = Field(description="Number of all warnings.")
    columns: dict[str, str] = Field(description="Column of the file for each field.")
    unused_columns: list[str] = Field(description="Columns of the file that were ignored.")
    duration_seconds: float = Field(description="Duration in seconds.")


class PriceImportOut(ResponseModel):
    """The result of an upload of prices."""

    report: PriceReportOut = Field(description="Report of the import.")
    dry_run: bool = Field(description="Whether it was a dry run, which writes nothing.")
    repricing: RepricingOut
