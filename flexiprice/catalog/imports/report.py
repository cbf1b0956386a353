"""The report of an import."""

from collections.abc import Mapping
from dataclasses import dataclass

from flexiprice.catalog.imports.problems import BadRow, DataWarning


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """The result of an import, by rows of the file and by table.

    Attributes:
        read: records in the file without empty ones: `imported` + `bad`.
        imported: rows that were imported; each is one batch.
        bad: rows that were left out.
        bad_rows: the first of them, by line.
        products_contradictory: products with several names in the file, of which the last is kept. If a
            product has two prices, costs or categories, all its rows are bad.
        gtins_new: GTINs that products gained; an import takes none away.
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
    gtins_new: int
    warnings: tuple[DataWarning, ...]
    warning_count: int
    columns: Mapping[str, str]
    unused_columns: tuple[str, ...]
    duration_seconds: float

    @property
    def written(self) -> Mapping[str, int]:
        """The numbers of rows written to the tables, by kind; empty if none was."""
        counts = {
            "products_new": self.products_new,
            "products_updated": self.products_updated,
            "batches_new": self.batches_new,
            "batches_updated": self.batches_updated,
        }
        if self.gtins_new:
            counts["gtins_new"] = self.gtins_new
        return counts if any(counts.values()) else {}
