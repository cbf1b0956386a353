"""Prices, quantities and names read from cells; an ambiguous cell is refused."""

from decimal import Decimal

import pytest

from flexiprice.catalog.imports.notation.cells import (
    CellRefused,
    read_cost,
    read_name,
    read_price,
    read_sku,
    shown,
)
from flexiprice.catalog.imports.notation.typed_cells import NumberText


@pytest.mark.parametrize(
    ("cell", "currency", "price"),
    [
        ("$4.50 ", "USD", "4.50"),
        ("$4.50", "CAD", "4.50"),
        ("4.5", "EUR", "4.50"),
        (" 12 ", "EUR", "12.00"),
        ("€ 1,234.50", "EUR", "1234.50"),
        ("1,234,567", "EUR", "1234567.00"),
        ("1 234.50", "EUR", "1234.50"),
        ("1\u202f234.50\u00a0€", "EUR", "1234.50"),
        ("1'234.50 CHF", "CHF", "1234.50"),
        ("Fr. 2.80", "CHF", "2.80"),
        ("EUR 3.20", "EUR", "3.20"),
        ("3.20 euros", "EUR", "3.20"),
        ("US$3.20", "USD", "3.20"),
        ("R$ 3.20", "BRL", "3.20"),
        ("3.20 zł", "PLN", "3.20"),
        ("3.20 Kč", "CZK", "3.20"),
        ("3.20 kr.", "DKK", "3.20"),
        ("3.20kr", "SEK", "3.20"),
        # The point ends the abbreviation: not 0.12.
        ("Rs.12", "INR", "12.00"),
        ("Rs. 120.00", "INR", "120.00"),
        ("₹.99", "INR", "0.99"),
        ("₹ 12,34,567.00", "INR", "1234567.00"),
        ("Rs. 1,20,000", "PKR", "120000.00"),
        ("12,345.50", "INR", "12345.50"),
        ("৳ 95", "BDT", "95.00"),
        # Words of the languages of the shop's countries, of currencies that the table lacks too.
        ("4.99 złote", "PLN", "4.99"),
        ("24.90 korun", "CZK", "24.90"),
        ("3.20 ευρώ", "EUR", "3.20"),
        ("3.20 евра", "EUR", "3.20"),
        ("450 kr.", "ISK", "450.00"),
        ("3.20 lari", "GEL", "3.20"),
        ("د.إ.\u200f 12.50", "AED", "12.50"),
        ("S/. 5.90", "PEN", "5.90"),
        ("S/5.90", "PEN", "5.90"),
        ("$.99", "USD", "0.99"),
        (".99", "EUR", "0.99"),
        ("4.500", "EUR", "4.50"),
        ("0.01", "EUR", "0.01"),
        ("9999999999.99", "EUR", "9999999999.99"),
    ],
)
def test_a_price_is_read_as_grocers_write_it(cell: str, currency: str, price: str) -> None:
    assert str(read_price(cell, decimal_comma=False, currency=currency)) == price


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("$1.80", "USD"),
        ("1.80 CHF", "CHF"),
        ("XYZ 1.80", "XYZ"),
        ("£1.80", "GBP"),
        ("1.80 zł", "PLN"),
        ("14.50 kr", "DKK or NOK or SEK"),
        ("₹1", "INR"),
        ("R$1.80", "BRL"),
        ("\U0001e2ff1.80", "a price in"),
        ("450 korun", "CZK"),
        ("2 forint", "HUF"),
        ("د.إ. 12.50", "AED"),
    ],
)
def test_an_amount_in_another_currency_is_refused_with_its_name(cell: str, meant: str) -> None:
    for reader in (read_price, read_cost):
        with pytest.raises(CellRefused, match=meant) as refusal:
            reader(cell, decimal_comma=False, currency="EUR")
        assert "prices are in EUR" in str(refusal.value)


@pytest.mark.parametrize(
    ("cell", "price"),
    [("4,50", "4.50"), ("1.234,50 €", "1234.50"), ("1.234", "1234.00"), ("7", "7.00"), (",99", "0.99")],
)
def test_a_price_is_read_with_a_decimal_comma_where_that_is_said(cell: str, price: str) -> None:
    assert str(read_price(cell, decimal_comma=True, currency="EUR")) == price


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("4,50", "is not a price with a decimal point"),
        ("1,23,456", "is not a price"),
        ("12,34,567.00", "is not a price"),
        ("3.20 l", "is not a price"),
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
def test_invalid_price_is_refused_with_the_reason(cell: str, reason: str) -> None:
    with pytest.raises(CellRefused, match=reason):
        read_price(cell, decimal_comma=False, currency="EUR")


def test_a_cost_may_be_nothing() -> None:
    assert read_cost("$0.00", decimal_comma=False, currency="USD") == Decimal(0)


@pytest.mark.parametrize("cell", ["1,2,345", "123,45,678", "1,23,45", "12,34,5678", "1,234,56,789"])
def test_a_number_that_no_country_groups_so_is_refused_in_every_currency(cell: str) -> None:
    for currency in ("INR", "EUR"):
        with pytest.raises(CellRefused, match="is not a price"):
            read_price(cell, decimal_comma=False, currency=currency)


@pytest.mark.parametrize(
    ("cell", "currency", "price"),
    [
        ("4,99 zł", "PLN", "4.99"),
        ("24,90 Kč", "CZK", "24.90"),
        ("14,50 kr", "SEK", "14.50"),
        ("1 234,50", "EUR", "1234.50"),
        ("1'234,50", "CHF", "1234.50"),
    ],
)
def test_amounts_of_the_shops_country_need_only_the_decimal_comma(
    cell: str, currency: str, price: str
) -> None:
    assert str(read_price(cell, decimal_comma=True, currency=currency)) == price
    with pytest.raises(CellRefused, match=f"--decimal-comma reads it as {price}"):
        read_price(cell, decimal_comma=False, currency=currency)


def test_a_word_that_currencies_share_is_the_shops_where_it_is_one_of_them() -> None:
    for currency in ("DKK", "NOK", "SEK", "ISK"):
        assert read_price("14.50 kr", decimal_comma=False, currency=currency) == Decimal("14.50")
    for currency in ("USD", "CAD", "MXN"):
        assert read_price("$4.50", decimal_comma=False, currency=currency) == Decimal("4.50")


def test_a_number_of_a_workbook_or_of_json_has_a_decimal_point_in_every_file() -> None:
    assert read_price(NumberText("1.25"), decimal_comma=True, currency="EUR") == Decimal("1.25")
    with pytest.raises(CellRefused, match="at most 2 decimals"):
        read_price(NumberText("1.234"), decimal_comma=True, currency="EUR")


@pytest.mark.parametrize(
    ("cell", "decimal_comma", "hint"),
    [
        ("1,10", False, "--decimal-comma reads it as 1.10"),
        ("1.234,50", False, "--decimal-comma reads it as 1234.50"),
        ("1.10", True, "it is 1.10 without --decimal-comma"),
    ],
)
def test_an_amount_in_the_other_style_names_the_option(cell: str, decimal_comma: bool, hint: str) -> None:
    with pytest.raises(CellRefused, match=hint):
        read_price(cell, decimal_comma=decimal_comma, currency="EUR")


def test_names_are_tidied_and_formulas_stay_text() -> None:
    assert read_name("  Sushi\n  Rice ") == "Sushi Rice"
    assert read_name('=HYPERLINK("http://x")') == '=HYPERLINK("http://x")'
    # The same letters in another Unicode spelling are the same name.
    assert read_name("Cafe\u0301") == "Café"


@pytest.mark.parametrize("cell", ["a\0b", "a\x1b[31mb", "a" * 65, "a\nb"])
def test_a_sku_holds_nothing_that_cannot_be_read_on_a_label(cell: str) -> None:
    with pytest.raises(CellRefused):
        read_sku(cell)


def test_text_in_another_encoding_is_named_as_such_in_letters_that_can_be_read() -> None:
    with pytest.raises(CellRefused) as refusal:
        read_name("Cr\udce8me")
    assert str(refusal.value) == (
        "'Cr\ufffdme' is not text in the file's encoding; --encoding cp1252 reads it as 'Crème'"
    )
    with pytest.raises(CellRefused) as refusal:
        read_name("a\ud800")
    assert str(refusal.value) == "'a\ufffd' is not text in the file's encoding"


def test_a_shown_cell_is_short_and_harmless() -> None:
    assert shown("\x1b[31m" + "x" * 1000).startswith("'\\x1b[31mxxx")
    assert len(shown("x" * 1000)) < 50
