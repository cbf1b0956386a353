"""The report of an import."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from flexiprice.catalog.imports.problems import BadRow, DataWarning


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """The result of an import, by rows of the file and by table.

    Attributes:
        read: records in the file without empty ones: `imported` + `bad`, unless the file was rejected.
        imported: rows that were imported; each is one batch.
        bad: rows that were left out.
        bad_rows: the first of them, by line.
        products_contradictory: products with several names in the file, of which the last is kept. Rows
            with two costs, categories or units, or with two prices in a store, are all bad.
        batches_sold_out: batches that a complete file left out, and that are sold out now.
        expiry_dates_corrected: lots that were known with another expiry date; a warning names each.
        without_expiry_date: imported rows without an expiry date, whose batches are never discounted.
        gtins_new: GTINs that products gained; an import takes none away.
        store_prices_changed: entries of the price list that are new, have another price or have ended.
        warnings: the first warnings: values that were read differently from their text, and unread columns.
        warning_count: the total number of warnings.
        columns: the column of the file by field.
        unused_columns: columns that were not read; of an NDJSON file with very many, the first.
    """

    read: int
    imported: int
    bad: int
    bad_rows: tuple[BadRow, ...]
    products_new: int
    products_updated: int
    products_unchanged: int
    products_contradictory: int
    batches_new: int
    batches_updated: int
    batches_unchanged: int
    batches_sold_out: int
    expiry_dates_corrected: int
    without_expiry_date: int
    gtins_new: int
    store_prices_changed: int
    warnings: tuple[DataWarning, ...]
    warning_count: int
    columns: Mapping[str, str]
    unused_columns: tuple[str, ...]
    duration_seconds: float

    def of_rejected_file(self) -> Self:
        """Returns the report of the file if its bad rows reject it as a whole: nothing is written."""
        return replace(
            self,
            imported=0,
            products_new=0,
            products_updated=0,
            batches_new=0,
            batches_updated=0,
            batches_sold_out=0,
            expiry_dates_corrected=0,
            gtins_new=0,
            store_prices_changed=0,
        )

    @property
    def changes_other_batches(self) -> bool:
        """Whether prices of batches may change that the file does not mention."""
        return self.products_updated > 0 or self.store_prices_changed > 0

    @property
    def written(self) -> Mapping[str, int]:
        """The numbers of rows written to the tables, by kind; empty if none was."""
        counts = {
            "products_new": self.products_new,
            "products_updated": self.products_updated,
            "batches_new": self.batches_new,
            "batches_updated": self.batches_updated,
        }
        if self.batches_sold_out:
            counts["batches_sold_out"] = self.batches_sold_out
        if self.expiry_dates_corrected:
            counts["expiry_dates_corrected"] = self.expiry_dates_corrected
        if self.gtins_new:
            counts["gtins_new"] = self.gtins_new
        if self.store_prices_changed:
            counts["store_prices_changed"] = self.store_prices_changed
        return counts if any(counts.values()) else {}
