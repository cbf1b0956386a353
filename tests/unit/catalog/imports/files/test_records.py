"""Records of CSV and NDJSON files; a bad line never costs a good one."""

from collections.abc import Iterator

import pytest

from flexiprice.catalog.imports.files.lines import MAX_LINE_LENGTH
from flexiprice.catalog.imports.files.records import FileFormat, Record
from flexiprice.catalog.imports.files.text_files import open_records
from flexiprice.errors import InvalidInput
from tests.support.import_files import lines_of


def pieces(content: bytes, size: int = 7) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def records(content: bytes, *, encoding: str = "utf-8", delimiter: str | None = None) -> list[Record]:
    lines = lines_of(pieces(content), encoding=encoding)
    return list(open_records(lines, delimiter=delimiter).records)


def cells(content: bytes, *, encoding: str = "utf-8") -> list[dict[str, str | None]]:
    return [dict(record.cells) for record in records(content, encoding=encoding)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_in_any_of_the_usual_ways(end: bytes) -> None:
    lines = lines_of(pieces(end.join([b"one", b"", b"three"]), size=4))
    assert [(line.number, line.text) for line in lines] == [(1, "one"), (2, ""), (3, "three")]


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert cells(b"\xef\xbb\xbfsku,name\nA1,Rice\n") == [{"sku": "A1", "name": "Rice"}]


def test_letters_cut_in_two_by_a_chunk_are_put_together() -> None:
    assert cells("name\nCrème brûlée\n".encode()) == [{"name": "Crème brûlée"}]


def test_another_encoding_can_be_given() -> None:
    assert cells("name\nCrème\n".encode("cp1252"), encoding="cp1252") == [{"name": "Crème"}]
    assert cells("name\nCrème\n".encode("utf-16"), encoding="utf-16") == [{"name": "Crème"}]


def test_bytes_that_are_not_utf_8_spoil_only_their_cell() -> None:
    first, second = cells(b"name\nCr\xe8me\nRice\n")
    assert "\udce8" in str(first["name"])
    assert second == {"name": "Rice"}


@pytest.mark.parametrize(
    ("content", "meaning"),
    [
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"\x1f\x8brest", "compressed"),
        ("sku\nA".encode("utf-16"), "UTF-16"),
        (b"", "empty"),
        (b"\n \n", "empty"),
    ],
)
def test_a_file_that_is_no_text_is_named_for_what_it_is(content: bytes, meaning: str) -> None:
    with pytest.raises(InvalidInput, match=meaning):
        records(content)


def test_an_unknown_encoding_is_refused() -> None:
    for encoding in ("klingon", "base64"):
        with pytest.raises(InvalidInput, match="is not a text encoding"):
            records(b"sku\nA\n", encoding=encoding)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(delimiter: str) -> None:
    content = f"sku{delimiter}name\nA1{delimiter}Rice\n".encode()
    assert cells(content) == [{"sku": "A1", "name": "Rice"}]


def test_quoted_cells_hold_delimiters_quotes_and_line_breaks() -> None:
    content = b'sku,name\nA1,"Rice, ""long""\ngrain"\nA2,Oats\n'
    assert [(record.line, dict(record.cells)) for record in records(content)] == [
        (2, {"sku": "A1", "name": 'Rice, "long"\ngrain'}),
        (4, {"sku": "A2", "name": "Oats"}),
    ]


def test_an_inch_sign_within_a_cell_is_only_a_sign() -> None:
    assert cells(b'sku,name\nA1,Pizza 12" large\n') == [{"sku": "A1", "name": 'Pizza 12" large'}]


@pytest.mark.parametrize("rows_after", [1, 3, 500])
def test_a_quote_that_is_never_closed_costs_only_its_own_line(rows_after: int) -> None:
    sound = [f"B{number},Oats" for number in range(rows_after)]
    content = "\n".join(["sku,name", 'A1,"Rice', *sound]).encode()
    bad, *good = records(content)
    assert (bad.line, bad.fault) == (2, "a quote opens here that is never closed")
    assert [record.cells["sku"] for record in good] == [f"B{number}" for number in range(rows_after)]


def test_a_broken_quote_is_named_and_the_next_line_read() -> None:
    bad, good = records(b'sku,name\nA1,"Rice" and more\nA2,Oats\n')
    assert bad.line == 2
    assert bad.fault is not None
    assert good.cells["sku"] == "A2"


def test_rows_of_another_length_are_named() -> None:
    short, long, padded = records(b"sku,name\nA1\nA2,Oats,extra\nA3,Rye,,\n")
    assert short.fault == "has 1 cell where the header has 2"
    assert long.fault == "has 3 cells where the header has 2"
    assert dict(padded.cells) == {"sku": "A3", "name": "Rye"}


def test_empty_rows_are_no_rows() -> None:
    assert cells(b"\n\nsku,name\n\n,\nA1,Rice\n , \n\n") == [{"sku": "A1", "name": "Rice"}]


def test_an_endless_line_is_cut_and_named() -> None:
    content = b"sku,name\nA1," + b"x" * (3 * MAX_LINE_LENGTH) + b"\nA2,Oats\n"
    bad, good = open_records(lines_of(pieces(content, size=1000))).records
    assert "longer than" in str(bad.fault)
    assert good.cells["sku"] == "A2"


def test_a_header_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidInput, match="header"):
        records(b'sku,"name\nA1,Rice\n')
    with pytest.raises(InvalidInput, match="columns"):
        records(b"," * 5000 + b"\nA1\n")


def test_ndjson_is_known_by_its_first_character() -> None:
    assert cells(b'\n{"sku": "A1", "price": 4.10, "lot": null}\n\n{"sku": "A2"}\n') == [
        {"sku": "A1", "price": "4.10", "lot": None},
        {"sku": "A2"},
    ]


def test_a_number_in_json_never_becomes_a_float() -> None:
    assert cells(b'{"price": 0.10000000000000000001, "quantity": 123456789012345678901234567890}') == [
        {"price": "0.10000000000000000001", "quantity": "123456789012345678901234567890"}
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b"null",
        b'{"sku": ',
        b'{"sku": "A", "sku": "B"}',
        b"[" * 60_000,
        b'{"price": NaN}',
    ],
)
def test_a_line_that_is_no_json_object_is_named_and_the_next_one_read(line: bytes) -> None:
    lines = lines_of([line + b'\n{"sku": "A2"}\n'])
    bad, good = open_records(lines, file_format=FileFormat.NDJSON).records
    assert bad.line == 1
    assert bad.fault is not None
    assert good.cells == {"sku": "A2"}


def test_nested_json_is_no_cell_and_costs_no_row() -> None:
    lines = lines_of(
        [b'{"sku": 40063, "tags": ["bio"], "organic": true, "by": {"a": 1, "a": 2}, "lot": null}\n']
    )
    [record] = open_records(lines).records
    assert record.fault is None
    assert record.cells == {"sku": "40063", "lot": None}
    assert record.unreadable == {"tags": "a list", "organic": "true", "by": "an object"}
    assert set(record.names) == {"sku", "lot", "tags", "organic", "by"}
