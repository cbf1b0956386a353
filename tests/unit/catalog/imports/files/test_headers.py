"""The header is found below title rows, and never among the data."""

import pytest

from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.files.records import RecordFile
from flexiprice.catalog.imports.files.sources import open_source
from flexiprice.catalog.imports.layout import FileLayout, source_options
from flexiprice.errors import InvalidInput

ROW = "A1,Rice,Pantry,1.10,30,2030-01-01"
HEADER = "sku,name,category,base_price,quantity,expiry_date"


def opened(text: str, *pairs: str, delimiter: str | None = None) -> RecordFile:
    layout = FileLayout(columns=parse_column_map(pairs), delimiter=delimiter)
    with open_source([text.encode()], source_options(layout)) as file:
        return RecordFile(file.header, iter(list(file.records)), file.above_header)


def test_title_rows_are_skipped_and_named_and_lines_keep_their_numbers() -> None:
    file = opened(f"Stock on hand,,,,,\nPrinted 26/11/2030,by Ann,,,,\n,,,,,\n\n{HEADER}\n{ROW}\n")
    assert file.header == tuple(HEADER.split(","))
    assert file.above_header == ((1, "Stock on hand"), (2, "Printed 26/11/2030, by Ann"))
    [record] = file.records
    assert (record.line, record.cells["sku"]) == (6, "A1")


def test_the_delimiter_is_that_of_the_header_not_of_the_title() -> None:
    file = opened("Stock, all stores, by Ann\n" + HEADER.replace(",", ";") + "\n" + ROW.replace(",", ";"))
    assert file.above_header == ((1, "Stock, all stores, by Ann"),)
    assert [record.cells["name"] for record in file.records] == ["Rice"]


def test_a_header_with_line_breaks_in_its_cells_is_found() -> None:
    header = HEADER.replace("expiry_date", '"expiry\ndate"').replace("base_price", '"base\nprice"')
    file = opened(f'A "loose title\n{header}\n{ROW}\n')
    assert file.header is not None
    assert file.header[3] == "base\nprice"
    assert [record.line for record in file.records] == [5]


def test_names_of_other_systems_and_mapped_columns_make_a_header() -> None:
    assert opened("Report\nItem code,Qty\nA1,3\n").header == ("Item code", "Qty")
    file = opened("Bericht\nArtikel,Menge\nA1,3\n", "sku=Artikel", "quantity=Menge")
    assert file.header == ("Artikel", "Menge")
    # The mapping says that the SKU is elsewhere, so `sku` alone does not make a header.
    assert opened("sku,quantity\nArtikel,name\nA1,3\n", "sku=Artikel").header == ("Artikel", "name")


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\nsku,name,category,base_price,quantity,expiry_date\n",
        "Artikel,Menge\nA1,3\n",
        # One name alone may be a title.
        "Report\nsku\nA1\n",
        "Report\n" * 20 + f"{HEADER}\n{ROW}\n",
    ],
)
def test_without_a_sure_header_below_it_the_first_row_is_the_header(text: str) -> None:
    file = opened(text)
    assert file.header == tuple(text.partition("\n")[0].split(","))
    assert file.above_header == ()


def test_a_line_that_names_the_delimiter_is_no_row() -> None:
    text = "sep=;\r\n\r\n" + HEADER.replace(",", ";") + "\r\n" + "A1;Rice;Pantry;1,10;30;2030-01-01\r\n"
    file = opened(text)
    assert (file.header, file.above_header) == (tuple(HEADER.split(",")), ())
    assert [(record.line, record.cells["base_price"]) for record in file.records] == [(4, "1,10")]
    assert opened(f'"SEP=,"\n{HEADER}\n{ROW}\n').header == tuple(HEADER.split(","))
    # An option is more explicit than the file.
    assert opened("sep=;\nsku|quantity\nA;1|3\n", delimiter="|").header == ("sku", "quantity")


def test_a_file_of_its_delimiter_alone_is_empty() -> None:
    with pytest.raises(InvalidInput, match="the file is empty"):
        opened("sep=;\n")
