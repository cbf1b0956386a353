"""Whatever a file holds, an import either refuses it as a whole or says of every record what it is."""

from hypothesis import given
from hypothesis import strategies as st

from flexiprice.errors import InvalidInput
from flexiprice.services.imports.columns import match_columns
from flexiprice.services.imports.dates import DateReader
from flexiprice.services.imports.lines import text_lines
from flexiprice.services.imports.records import open_records
from flexiprice.services.imports.rows import BadRow, CatalogueRow, RowReader

HEADER = "sku,name,category,base_price,unit_cost,quantity,expiry_date,lot,store\n"
READER = RowReader(stores={"main": 1}, default_store="main", dates=DateReader(), decimal_comma=False)

cells = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", "A1", "Rice", "$4.50", "1,234.5", "12", "2030-01-02", "main", '"', '"a\n', "\0", "\udc80", "=1"]
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
        row = READER.read(record, match_columns(list(record.cells), {}).columns)
        if isinstance(row, BadRow):
            assert row.problems
            assert all(problem.reason.isprintable() for problem in row.problems)
        else:
            assert isinstance(row, CatalogueRow)
            assert row.sku
            assert row.sku == row.sku.strip()
            assert 0 <= row.quantity < 2**31
            assert row.base_price > 0


@given(files, st.integers(1, 64))
def test_how_a_file_is_cut_into_pieces_makes_no_difference(content: bytes, size: int) -> None:
    def lines(pieces: list[bytes]) -> list[object]:
        try:
            return list(text_lines(pieces))
        except InvalidInput as error:
            return [error.message]

    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    assert lines(pieces) == lines([content])
