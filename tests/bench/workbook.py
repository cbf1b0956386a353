"""The smallest FLEXIPRICE_WORKBOOK_MEMORY_BYTES by which a workbook of a size is read.

`python -m tests.bench.workbook [--rows 1000000]` writes a workbook of nine columns, and reads it with ever
larger limits.
"""

import argparse
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console

from flexiprice.catalog.imports.files.sources import SourceOptions, open_source
from flexiprice.errors import InvalidInput
from tests.support.workbooks import Cell, xlsx

_HEADER: Final = (
    *("sku", "name", "category", "base_price", "unit_cost"),
    *("quantity", "expiry_date", "lot", "store"),
)
_DAY: Final = date(2026, 12, 1)
_STEP: Final = 1 << 28
_CHUNK: Final = 1 << 20


def write(path: Path, rows: int) -> None:
    """Writes a workbook with a header and rows of stock."""

    def row(number: int) -> list[Cell]:
        day = _DAY + timedelta(days=number % 30)
        return [
            f"SKU-{number}",
            f"Product {number}",
            "Dairy",
            2.49,
            1.2,
            number % 50,
            day,
            f"L{number}",
            "main",
        ]

    path.write_bytes(xlsx({"Stock": [list(_HEADER), *(row(number) for number in range(rows))]}))


def read(path: Path, memory_bytes: int) -> int:
    """Reads a workbook; returns the number of its records.

    Raises:
        InvalidInput: it needs more memory.
    """

    def chunks() -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    with open_source(chunks(), SourceOptions(workbook_memory_bytes=memory_bytes)) as file:
        return sum(1 for _ in file.records)


def smallest_limit(path: Path) -> int:
    """Returns the smallest multiple of 256 MiB under which a workbook is read."""
    limit = _STEP
    while True:
        with suppress(InvalidInput):
            read(path, limit)
            return limit
        limit += _STEP


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.workbook")
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with TemporaryDirectory() as folder:
        path = Path(folder) / "stock.xlsx"
        write(path, rows)
        limit = smallest_limit(path)
    Console().print(f"{rows:,} rows of {len(_HEADER)} columns are read within {limit / (1 << 30):.2f} GiB")


if __name__ == "__main__":
    main()
