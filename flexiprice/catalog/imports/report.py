"""What an import did."""

from collections.abc import Mapping
from dataclasses import dataclass

from flexiprice.catalog.imports.rows import BadRow, DataWarning


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, row by row and in the tables.

    Attributes:
        read: records in the file, empty ones apart; `imported` + `bad`.
        imported: rows that are in the tables now; each is one batch.
        bad: rows that were left out.
        bad_rows: the first of them, by line.
        products_contradictory: products to which the file gives more than one name; the last one is
            what is kept. A product with two prices, costs or categories is bad in all of its rows.
        warnings: the first of what was read otherwise than it stands, and of columns that were not read.
        warning_count: how many warnings there are in all.
        columns: which column of the file each field was read from.
        unused_columns: columns that nothing was read from; of an NDJSON file with very many, the first.
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
    warnings: tuple[DataWarning, ...]
    warning_count: int
    columns: Mapping[str, str]
    unused_columns: tuple[str, ...]
    duration_seconds: float

    @property
    def written(self) -> Mapping[str, int]:
        """How many rows of the tables were written, by kind; empty where none was."""
        counts = {
            "products_new": self.products_new,
            "products_updated": self.products_updated,
            "batches_new": self.batches_new,
            "batches_updated": self.batches_updated,
        }
        return counts if any(counts.values()) else {}
