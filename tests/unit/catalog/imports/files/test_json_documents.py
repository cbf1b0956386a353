"""A JSON document is read record by record, and told from NDJSON by its content."""

import json
from collections.abc import Iterator

import pytest

from flexiprice.catalog.imports.files.json_documents import MAX_VALUE_LENGTH, json_records
from flexiprice.catalog.imports.files.records import FileFormat, Record
from flexiprice.catalog.imports.files.sources import SourceOptions, open_source
from flexiprice.catalog.imports.notation.typed_cells import NumberText
from flexiprice.errors import InvalidInput

PRETTY = """[
  {"sku": "A1", "price": 1.10},
  {
    "sku": 4006381333931,
    "tags": ["x", {"y": "]"}],
    "lot": null
  }
]
"""


def is_header(names) -> bool:
    return "sku" in names


def records(content: str | bytes, *, size: int = 7, **options) -> list[Record]:
    raw = content.encode() if isinstance(content, str) else content
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    with open_source(pieces, SourceOptions(is_header=is_header, **options)) as file:
        assert file.header is None
        return list(file.records)


def skus(content: str, **options) -> list[tuple[int, str | None]]:
    return [(record.line, record.cells["sku"]) for record in records(content, **options)]


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_an_array_is_read_record_by_record_and_each_is_known_by_its_place(size: int) -> None:
    first, second = records(PRETTY, size=size)
    assert (first.line, dict(first.cells)) == (1, {"sku": "A1", "price": "1.10"})
    assert (second.line, dict(second.cells)) == (2, {"sku": "4006381333931", "lot": None})
    assert second.unreadable == {"tags": "a list"}
    assert isinstance(first.cells["price"], NumberText)
    assert not isinstance(first.cells["sku"], NumberText)


@pytest.mark.parametrize(
    "document",
    [
        '{"products": [{"sku": "A"}, {"sku": "B"}], "count": 2}',
        '{"is": "ok",\n "data": {"pages": [1, 2], "notes": [], "items": [{"sku": "A"}, {"sku": "B"}]}}\n',
        '  {\n"items":[\n{"sku":"A"},\n{"sku":"B"}\n]\n}',
    ],
)
def test_the_one_array_of_records_in_an_object_is_the_records(document: str) -> None:
    assert skus(document) == [(1, "A"), (2, "B")]


def test_a_document_on_one_line_that_no_line_limit_holds_is_read() -> None:
    document = json.dumps({"items": [{"sku": f"A{number}"} for number in range(20_000)]})
    assert len(document) > 5 * 65_536
    assert [sku for _, sku in skus(document, size=4096)] == [f"A{number}" for number in range(20_000)]


@pytest.mark.parametrize(
    "lines",
    [
        '{"sku": "A"}\n{"sku": "B"}\n',
        '\n{"sku": "A"}\nnonsense\n{"sku": "B"}\n',
        '{"sku": "A", "parts": [{"n": 1}]}\n{"sku": "B"}\n',
        # A single record with a list of objects in it is a record, because it has a field of its own.
        '{"sku": "A", "parts": [{"n": 1}]}\n',
        '{"sku": "A", "price": }\n{"sku": "B"}\n',
    ],
)
def test_an_object_a_line_is_still_read_line_by_line(lines: str) -> None:
    found = records(lines)
    assert found[-1].cells["sku"] in {"A", "B"}
    assert found[-1].line == len(lines.rstrip("\n").split("\n"))


def test_the_given_format_wins() -> None:
    text = '{"items": [{"sku": "A"}]}\n'
    assert records(text, file_format=FileFormat.NDJSON)[0].unreadable == {"items": "a list"}
    assert skus(text, file_format=FileFormat.JSON) == [(1, "A")]


def test_an_element_that_is_no_object_or_names_a_field_twice_is_one_bad_record() -> None:
    number, twice, good = records('[{"sku": "x"}, 1, {"sku": "A", "sku": "B"}, {"sku": "C"}]')[1:]
    assert number.fault == "not a JSON object"
    assert "names a field twice" in str(twice.fault)
    assert (good.line, good.cells["sku"]) == (4, "C")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ('[{"sku": "A"}, {"sku": ', "not JSON after record 1"),
        ('[{"sku": "A"}', ", is missing"),
        ('[{"sku": "A"},]', "not JSON after record 1: Expecting value"),
        ('[{"sku": "A"} {"sku": "B"}]', ", is missing"),
        ('[{"sku": NaN}]', "NaN is not a JSON number"),
        ('[{"sku": "A"}] trailing', "text follows the end"),
        ("[]", "no records"),
        ('{"items": []}', "no array of records"),
        ('{"a": 1}', "no array of records"),
        ('{"a": [{"sku": "A"}], "b": {"c": [{"sku": "B"}]}}', "'a' and 'b.c': keep one"),
        ('{1: [{"sku": "A"}]}', "a name in quotes is missing"),
        ("7", "begins with neither"),
        ('{"a":' * 30 + "[{}]" + "}" * 30, "nested more than 20 deep"),
        ('[{"sku": ' + "[" * 100_000, "recursion"),
        ('[{"sku": "' + "x" * (MAX_VALUE_LENGTH + 100_000) + '"}]', "longer than"),
    ],
)
def test_a_document_without_an_array_of_records_is_refused_with_the_reason(
    document: str, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        records(document, size=50_000, file_format=FileFormat.JSON)


def test_only_as_much_is_read_as_the_record_needs() -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        yield "["
        while True:
            taken += 1
            yield f'{{"sku": "A{taken}"}},'

    source = json_records(endless())
    assert [next(source).cells["sku"] for _ in range(3)] == ["A1", "A2", "A3"]
    assert taken <= 4


def test_a_field_of_a_nested_object_is_read_where_its_path_is_asked_for() -> None:
    text = '[{"sku": "A", "product": {"name": "Rye", "group": {"name": "Bakery"}, "tags": []}}, {"sku": "B"}]'
    paths = ("product.name", "product.group.name", "product.tags", "product.missing")
    first, second = records(text, paths=paths)
    assert (first.cells["product.name"], first.cells["product.group.name"]) == ("Rye", "Bakery")
    assert first.unreadable == {"product": "an object", "product.tags": "a list"}
    assert second.names == ("sku",)
