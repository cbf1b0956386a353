"""A workbook is read by its content: one sheet, cells by their kind, within a limit of memory.

`stock.xls` was written by xlwt 1.3.0, `protected.xlsx` by openpyxl and msoffcrypto-tool with a password.
"""

import gzip
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import pytest

from flexiprice.catalog.imports.files.records import FileFormat, RecordFile
from flexiprice.catalog.imports.files.sources import open_source
from flexiprice.catalog.imports.layout import FileLayout, source_options
from flexiprice.catalog.imports.notation.typed_cells import DateText, NumberText
from flexiprice.errors import InvalidInput
from tests.support.workbooks import Cell, Error, archive, far_apart, ods, xlsx

FILES = Path(__file__).parent
HEADER = ["sku", "name", "quantity", "expiry_date"]
ROW: Sequence[Cell] = ["A1", "Rice", 12, date(2030, 1, 2)]


def opened(content: bytes, **options) -> RecordFile:
    with open_source([content], source_options(FileLayout(**options))) as file:
        return RecordFile(file.header, iter(list(file.records)), file.above_header)


def only_record(*cells: Cell, header: Sequence[str] = HEADER) -> Mapping[str, str | None]:
    [record] = opened(xlsx({"Stock": [header, cells]})).records
    return {**record.cells, **{str(name): kind for name, kind in record.unreadable.items()}}


@pytest.mark.parametrize("make", [xlsx, ods, lambda sheets: gzip.compress(xlsx(sheets))])
def test_texts_numbers_and_dates_are_read_from_the_only_sheet(make) -> None:
    file = opened(make({"Stock": [HEADER, ROW], "Empty": []}))
    assert (file.header, file.above_header) == (tuple(HEADER), ())
    [record] = file.records
    assert record.line == 2
    assert record.cells == {"sku": "A1", "name": "Rice", "quantity": "12", "expiry_date": "2030-01-02"}
    kinds = [type(cell) for cell in record.cells.values()]
    assert kinds == [str, str, NumberText, DateText]


def test_an_old_workbook_with_a_title_is_read() -> None:
    file = opened((FILES / "stock.xls").read_bytes())
    assert file.above_header == ((1, "Bestand am 26.11.2029"),)
    assert [(record.line, list(record.cells.values())) for record in file.records] == [
        (4, ["4006381333931", "Reis", "Vorrat", "2.5", "12", "2030-01-02"]),
        (5, ["0012", "Käse", "Molkerei", "3.75", "4", "2030-01-03"]),
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (4006381333931.0, "4006381333931"),
        (0.1 + 0.2, "0.3"),
        (1.1 * 3, "3.3"),
        (12.345, "12.345"),
        (-2, "-2"),
        (999999999999999, "999999999999999"),
        (123456789012345678, "1.23456789012346e+17"),
        (1e15, "1e+15"),
    ],
)
def test_a_number_is_written_as_the_spreadsheet_shows_it(number: float, text: str) -> None:
    assert only_record("A1", "Rice", number, None)["quantity"] == text


def test_a_moment_keeps_its_time_of_day() -> None:
    moment = datetime(2030, 1, 2, 8, 30)  # noqa: DTZ001 - a workbook's moments have no zone
    assert only_record("A1", "Rice", 1, moment)["expiry_date"] == "2030-01-02 08:30:00"


def test_cells_of_other_kinds_are_named_and_spoil_only_their_row() -> None:
    rows = [HEADER, ["A1", True, False, Error("#N/A")], ["A2", Error("#REF!"), 3, date(2030, 1, 2)]]
    first, second = opened(xlsx({"Stock": rows})).records
    assert first.cells == {"sku": "A1"}
    assert first.unreadable == {
        "name": "true",
        "quantity": "false",
        "expiry_date": "an error value, such as #N/A,",
    }
    assert second.cells == {"sku": "A2", "quantity": "3", "expiry_date": "2030-01-02"}


def test_rows_keep_their_numbers_and_short_and_long_rows_are_told_apart() -> None:
    rows = [["Stock"], [], ["", *HEADER], [], ["", *ROW[:3]], ["", *ROW, "more"]]
    file = opened(xlsx({"Stock": rows}))
    assert file.above_header == ((1, "Stock"),)
    short, long = file.records
    assert (short.line, short.cells["expiry_date"]) == (5, "")
    assert (long.line, long.fault) == (6, "has 6 cells where the header has 5")


def test_of_several_sheets_one_must_be_named() -> None:
    content = xlsx({"Stock": [HEADER, ROW], "Notes": [["x"]], "Lists": [["y"]]}, hidden=["Lists"])
    with pytest.raises(InvalidInput, match="several sheets, 'Stock', 'Notes': --sheet Stock reads the first"):
        opened(content)
    assert [record.cells["sku"] for record in opened(content, sheet="stock ").records] == ["A1"]
    assert opened(content, sheet="Lists").header == ("y",)
    with pytest.raises(InvalidInput, match="no sheet 'Stok'; it has 'Stock', 'Notes', 'Lists'"):
        opened(content, sheet="Stok")
    hidden = xlsx({"Stock": [HEADER, ROW], "Lists": [["y"]]}, hidden=["Lists"])
    assert opened(hidden).header == tuple(HEADER)


def test_a_name_of_a_sheet_or_the_format_without_a_workbook_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="only a workbook has sheets"):
        opened(b"sku,name\nA1,Rice\n", sheet="Stock")
    with pytest.raises(InvalidInput, match="the file is no workbook"):
        opened(b"sku,name\nA1,Rice\n", file_format=FileFormat.EXCEL)
    assert opened(xlsx({"Stock": [HEADER, ROW]}), file_format=FileFormat.CSV).header == tuple(HEADER)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (xlsx({"Stock": []}), "no visible sheet has any content"),
        ((FILES / "protected.xlsx").read_bytes(), "is protected by a password"),
        ((FILES / "stock.xls").read_bytes()[:700], "is no workbook that can be read"),
        (xlsx({"Stock": [HEADER, ROW]})[:600], "is no workbook that can be read"),
        (archive({"stock.csv": "sku,name\n"}), "export the sheet as CSV, and unpack a zip archive first"),
        (b"PK\x03\x04", "is no workbook"),
        (b"PK\x05\x06" + bytes(18), "is no workbook"),
    ],
)
def test_a_workbook_that_cannot_be_read_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        opened(content)


def test_a_sheet_that_exhausts_its_memory_is_refused_and_nothing_else_suffers() -> None:
    content = far_apart()
    assert len(content) < 3000
    with pytest.raises(
        InvalidInput, match=r"needs more than 2,147,483,648 bytes .* FLEXIPRICE_WORKBOOK_MEMORY_BYTES"
    ):
        opened(content)
    assert opened(xlsx({"Stock": [HEADER, ROW]})).header == tuple(HEADER)


def test_the_program_that_reads_a_workbook_ends_with_the_file() -> None:
    content = xlsx({"Stock": [HEADER, *[ROW] * 20_000]})
    with open_source([content], source_options(FileLayout())) as file:
        assert next(file.records).line == 2
    # Its pipe is closed: nothing more is read from a program that was ended.
    with pytest.raises(ValueError, match="closed file"):
        list(file.records)
