"""An import of any bytes either refuses the file or classifies every record."""

import string
import unicodedata
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiprice.catalog.imports.cells import CellRefused
from flexiprice.catalog.imports.columns import match_columns
from flexiprice.catalog.imports.dates import DEFAULT_DATE_FORMATS, DateReader
from flexiprice.catalog.imports.lines import text_lines
from flexiprice.catalog.imports.problems import BadRow, DataWarning
from flexiprice.catalog.imports.rows import CatalogueRow, ImportStore, RowReader
from flexiprice.catalog.imports.text_files import open_records
from flexiprice.errors import InvalidInput

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
        records = list(open_records(text_lines(chunks)).records)
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


@given(files, st.integers(1, 64))
def test_import_reads_the_same_whatever_the_size_of_its_pieces(content: bytes, size: int) -> None:
    def lines(pieces: list[bytes]) -> list[object]:
        try:
            return list(text_lines(pieces))
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
