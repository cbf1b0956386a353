"""What an import did."""

from collections.abc import Mapping
from dataclasses import dataclass

from flexiprice.services.imports.rows import BadRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, row by row and in the tables.

    Attributes:
        read: records in the file, empty ones apart; `imported` + `bad`.
        imported: rows that are in the tables now; each is one batch.
        bad: rows that were left out.
        bad_rows: the first of them, by line.
        products_contradictory: products that the file describes in more than one way; the last one
            is what is kept.
        columns: which column of the file each field was read from.
        unused_columns: columns that nothing was read from.
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
    columns: Mapping[str, str]
    unused_columns: tuple[str, ...]
    duration_seconds: float
