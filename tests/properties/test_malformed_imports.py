"""An import of any bytes either refuses the file or classifies every record."""

import gzip
import json
import string
import unicodedata
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flexiprice.catalog.imports.columns import match_columns
from flexiprice.catalog.imports.files.records import Record
from flexiprice.catalog.imports.files.sources import open_source
from flexiprice.catalog.imports.files.text_files import open_records
from flexiprice.catalog.imports.layout import FileLayout, source_options
from flexiprice.catalog.imports.notation.cells import CellRefused
from flexiprice.catalog.imports.notation.dates import DEFAULT_DATE_FORMATS, DateReader
from flexiprice.catalog.imports.problems import BadRow, DataWarning
from flexiprice.catalog.imports.rows import CatalogueRow, ImportStore, RowReader
from flexiprice.errors import InvalidInput
from tests.support.import_files import lines_of
from tests.support.workbooks import ods, xlsx

HEADER = "sku,name,category,base_price,unit_cost,quantity,expiry_date,lot,store\n"
WARNINGS: list[DataWarning] = []
READER = RowReader(
    stores={"main": ImportStore(1, ZoneInfo("Europe/Berlin"))},
    default_store="main",
    dates=DateReader(),
    decimal_comma=False,
    currency="EUR",
    warn=WARNINGS.append,
)

cells = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            *("", "A1", "Rice", "$4.50", "1,234.5", "12", "2030-01-02", "main", '"', '"a\n', "\0", "\udc80"),
            *(
                "=1",
                "4.0E+12",
                '="01"',
                "'01",
                "7.0",
                "#N/A",
                "\u202e1",
                "\ufeffA",
                "261127",
                "2030-01-02T23:00Z",
            ),
        ]
    ),
)
csv_files = st.lists(st.lists(cells, min_size=7, max_size=10).map(",".join), max_size=12).map(
    lambda rows: (HEADER + "\n".join(rows)).encode("utf-8", "surrogatepass")
)
files = st.one_of(
    st.binary(max_size=400),
    csv_files,
    st.tuples(csv_files, st.binary(max_size=40)).map(b"".join),
    st.binary(max_size=100).map(lambda rubbish: b'{"sku": "A"}\n' + rubbish),
)


@given(files, st.integers(1, 64))
def test_every_record_is_a_sound_row_or_a_bad_one_with_its_line_and_reasons(
    content: bytes, size: int
) -> None:
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    try:
        records = list(open_records(lines_of(chunks)).records)
    except InvalidInput:
        return
    last_line = 0
    for record in records:
        assert record.line > last_line
        last_line = record.line
        WARNINGS.clear()
        row = READER.read(record, match_columns(record.names, {}).columns)
        assert all(warning.line == record.line and warning.message.isprintable() for warning in WARNINGS)
        if isinstance(row, BadRow):
            assert row.problems
            assert all(problem.reason.isprintable() for problem in row.problems)
        else:
            assert isinstance(row, CatalogueRow)
            assert row.sku
            assert row.sku == row.sku.strip()
            assert 0 <= row.quantity < 2**31
            assert row.base_price > 0
            for text in (row.sku, row.lot, row.name, row.category):
                assert all(unicodedata.category(letter) != "Cf" for letter in text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.just("sku"), inner),
    max_leaves=12,
)
documents = st.builds(
    lambda value, indent, cut, rubbish: json.dumps(value, indent=indent).encode()[:cut] + rubbish,
    json_values
    | st.lists(st.dictionaries(st.sampled_from(["sku", "name", "tags"]), json_values), max_size=4),
    st.sampled_from([None, 1]),
    st.sampled_from([None, None, -1, 9]),
    st.sampled_from([b"", b"", b"\n", b"]", b"\n{}", b"\xff"]),
)
packed = st.builds(
    lambda content, cut: gzip.compress(content)[:cut], files | documents, st.sampled_from([None, None, -3])
)


def opened(content: bytes, size: int) -> list[object]:
    """The records of a file of any format, or the reason for which it is refused."""
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    try:
        with open_source(chunks, source_options(FileLayout())) as file:
            return [file.header, *file.records]
    except InvalidInput as error:
        return [error.message]


@given(files | documents | packed, st.integers(1, 64))
def test_a_file_of_any_format_is_read_or_refused_whatever_the_size_of_its_pieces(
    content: bytes, size: int
) -> None:
    # Workbooks are read by a program of its own, see the next test.
    assume(not content.startswith(b"PK"))
    found = opened(content, size)
    assert found == opened(content, len(content) or 1)
    lines = [record.line for record in found[1:] if isinstance(record, Record)]
    assert len(lines) == len(found) - 1
    assert lines == sorted(set(lines))


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 3000), st.sampled_from(["xlsx", "ods"]))
def test_a_damaged_workbook_is_read_or_refused(rubbish: bytes, place: int, kind: str) -> None:
    rows = [["sku", "name", "quantity"], ["A1", "Rice", 3]]
    content = (xlsx if kind == "xlsx" else ods)({"Stock": rows})
    damaged = content[:place] + rubbish + content[place + len(rubbish) :]
    found = opened(damaged, len(damaged))
    assert all(isinstance(record, Record) for record in found[1:])


@given(files, st.integers(1, 64))
def test_import_reads_the_same_whatever_the_size_of_its_pieces(content: bytes, size: int) -> None:
    def lines(pieces: list[bytes]) -> list[object]:
        try:
            return list(lines_of(pieces))
        except InvalidInput as error:
            return [error.message]

    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    assert lines(pieces) == lines([content])


BEGINS_WITH_YEAR = DateReader()
FIXED = {pattern: DateReader([pattern]) for pattern in ("%y%m%d", "%d%m%y", "%d%m%Y", "%Y%j", "%d%b%Y")}
SEPARATED = {pattern: DateReader([pattern]) for pattern in ("%d.%m.%Y", "%m/%d/%y", "%Y-%m-%d", "%d %B %Y")}
days = st.dates(date(1970, 1, 1), date(2068, 12, 31))
near_dates = st.one_of(
    st.text("0123456789", max_size=9),
    st.text("0123456789-/. ", max_size=11),
    st.builds(
        lambda day, pattern: day.strftime(pattern), days, st.sampled_from(["%Y%m%d", *FIXED, *SEPARATED])
    ),
    st.text(string.printable, max_size=12),
)


@given(near_dates)
def test_a_date_that_is_read_is_written_back_in_the_same_letters(cell: str) -> None:
    readers = [
        (DEFAULT_DATE_FORMATS, BEGINS_WITH_YEAR),
        *(((pattern,), reader) for pattern, reader in FIXED.items()),
    ]
    for patterns, reader in readers:
        try:
            day = reader.read(cell)
        except CellRefused:
            continue
        written = {day.strftime(pattern).casefold() for pattern in patterns}
        is_end_of_month = patterns == ("%y%m%d",) and cell.strip().endswith("00")
        assert cell.strip().casefold() in written or (is_end_of_month and (day.replace(day=28) <= day))


@given(days, st.sampled_from([*FIXED, *SEPARATED]))
def test_a_date_written_in_a_format_is_read_in_it(day: date, pattern: str) -> None:
    reader = FIXED.get(pattern) or SEPARATED[pattern]
    assert reader.read(day.strftime(pattern)) == datetime.strptime(day.strftime(pattern), pattern).date()  # noqa: DTZ007


@given(days, st.sampled_from(list(SEPARATED)))
def test_without_leading_zeros_a_date_between_separators_is_the_same_date(day: date, pattern: str) -> None:
    unpadded = pattern.replace("%d", str(day.day)).replace("%m", str(day.month))
    assert SEPARATED[pattern].read(day.strftime(unpadded)) == SEPARATED[pattern].read(day.strftime(pattern))


@given(days)
def test_six_digits_are_never_a_date_unless_their_format_is_given(day: date) -> None:
    for cell in (day.strftime("%y%m%d"), day.strftime("%Y%m"), day.strftime("%d%m%y")):
        with pytest.raises(CellRefused, match="--date-format %y%m%d"):
            BEGINS_WITH_YEAR.read(cell)
