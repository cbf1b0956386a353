"""What the text of a cell means, and what is refused rather than guessed."""

from datetime import date
from decimal import Decimal

import pytest

from flexiprice.errors import InvalidInput
from flexiprice.services.imports.cells import (
    CellRefused,
    read_cost,
    read_name,
    read_price,
    read_quantity,
    read_sku,
    shown,
)
from flexiprice.services.imports.dates import DateReader


@pytest.mark.parametrize(
    ("cell", "price"),
    [
        ("$4.50 ", "4.50"),
        ("4.5", "4.50"),
        (" 12 ", "12.00"),
        ("€ 1,234.50", "1234.50"),
        ("1,234,567", "1234567.00"),
        ("1 234.50", "1234.50"),
        ("1\u202f234.50\u00a0€", "1234.50"),
        ("1'234.50 CHF", "1234.50"),
        ("EUR 3.20", "3.20"),
        ("US$3.20", "3.20"),
        ("4.500", "4.50"),
        ("0.01", "0.01"),
        ("9999999999.99", "9999999999.99"),
    ],
)
def test_a_price_is_read_as_grocers_write_it(cell: str, price: str) -> None:
    assert str(read_price(cell, decimal_comma=False)) == price


@pytest.mark.parametrize(
    ("cell", "price"), [("4,50", "4.50"), ("1.234,50 €", "1234.50"), ("1.234", "1234.00"), ("7", "7.00")]
)
def test_a_price_is_read_with_a_decimal_comma_where_that_is_said(cell: str, price: str) -> None:
    assert str(read_price(cell, decimal_comma=True)) == price


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("4,50", "is not a price with a decimal point"),
        ("1,23,456", "is not a price"),
        ("abc", "is not a price"),
        ("-4.50", "is not a price"),
        ("(4.50)", "is not a price"),
        ("1e3", "is not a price"),
        ("NaN", "is not a price"),
        ("4.50 each", "is not a price"),
        ("$4.50€", "is not a price"),
        ("\u0664.\u0665", "is not a price"),
        ("4.505", "at most 2 decimals"),
        ("0", "from 0.01"),
        ("10000000000", "from 0.01"),
        ("9" * 5000, "is not a price"),
    ],
)
def test_what_is_no_price_is_refused_with_the_reason(cell: str, reason: str) -> None:
    with pytest.raises(CellRefused, match=reason):
        read_price(cell, decimal_comma=False)


def test_a_cost_may_be_nothing() -> None:
    assert read_cost("$0.00", decimal_comma=False) == Decimal(0)


@pytest.mark.parametrize(("cell", "quantity"), [("22", 22), (" 0 ", 0), ("1,200", 1200), ("22.0", 22)])
def test_a_quantity_is_a_whole_number(cell: str, quantity: int) -> None:
    assert read_quantity(cell, decimal_comma=False) == quantity


@pytest.mark.parametrize("cell", ["-1", "2.5", "many", "2147483648", "9" * 5000, "1_000", "\u0662"])
def test_what_is_no_quantity_is_refused(cell: str) -> None:
    with pytest.raises(CellRefused):
        read_quantity(cell, decimal_comma=False)


@pytest.mark.parametrize("cell", ["2024-09-19", "2024/09/19", "20240919", "2024-09-19 00:00:00"])
def test_dates_that_begin_with_the_year_need_no_format(cell: str) -> None:
    assert DateReader().read(cell) == date(2024, 9, 19)


@pytest.mark.parametrize("cell", ["05/08/2024", "9/19/2024", "2024-13-01", "2024-02-30", "soon", "45554"])
def test_a_date_that_could_be_misread_is_refused_without_a_format(cell: str) -> None:
    with pytest.raises(CellRefused, match="is not a date that begins with the year"):
        DateReader().read(cell)


def test_several_date_formats_stand_side_by_side() -> None:
    dates = DateReader(["%m/%d/%Y", "%m-%d-%Y"])
    assert [dates.read("8/16/2024"), dates.read("05-08-2024")] == [date(2024, 8, 16), date(2024, 5, 8)]


def test_a_date_about_which_two_formats_disagree_is_refused() -> None:
    dates = DateReader(["%m/%d/%Y", "%d/%m/%Y"])
    assert dates.read("8/16/2024") == date(2024, 8, 16)
    assert dates.read("7/7/2024") == date(2024, 7, 7)
    with pytest.raises(CellRefused, match="2024-05-08 or 2024-08-05"):
        dates.read("05/08/2024")


def test_a_year_of_four_figures_that_nobody_means_is_refused() -> None:
    with pytest.raises(CellRefused, match="1970"):
        DateReader().read("0024-09-19")


@pytest.mark.parametrize("pattern", ["%d.%m.", "%Y-%m", "%H:%M", "whenever", "%Q", "%"])
def test_a_date_format_must_give_year_month_and_day(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="year, month and day"):
        DateReader([pattern])


def test_names_are_tidied_and_formulas_stay_text() -> None:
    assert read_name("  Sushi\n  Rice ") == "Sushi Rice"
    assert read_name('=HYPERLINK("http://x")') == '=HYPERLINK("http://x")'
    # The same letters in another Unicode spelling are the same name.
    assert read_name("Cafe\u0301") == "Café"


@pytest.mark.parametrize("cell", ["a\0b", "a\x1b[31mb", "a" * 65, "a\nb"])
def test_a_sku_holds_nothing_that_cannot_be_read_on_a_label(cell: str) -> None:
    with pytest.raises(CellRefused):
        read_sku(cell)


def test_text_in_another_encoding_is_named_as_such() -> None:
    with pytest.raises(CellRefused, match="encoding"):
        read_name("Cr\udce8me")


def test_a_shown_cell_is_short_and_harmless() -> None:
    assert shown("\x1b[31m" + "x" * 1000).startswith("'\\x1b[31mxxx")
    assert len(shown("x" * 1000)) < 50
