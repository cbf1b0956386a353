"""Quantities as files write them, and those that only some units allow."""

from decimal import Decimal

import pytest

from flexiprice.catalog.imports.notation.cells import CellRefused
from flexiprice.catalog.imports.notation.quantities import QuantityCell, read_quantity, unit_refusal
from flexiprice.catalog.imports.notation.typed_cells import NumberText
from flexiprice.domain.quantity import Unit


@pytest.mark.parametrize(
    ("cell", "quantity"), [("22", 22), (" 0 ", 0), ("22.0", 22), ("120.000", 120), ("1 200", 1200)]
)
def test_a_whole_number_is_a_quantity_in_every_unit(cell: str, quantity: int) -> None:
    assert read_quantity(cell, decimal_comma=False) == QuantityCell(Decimal(quantity))


def test_zero_decimals_are_whole_with_a_decimal_comma_too() -> None:
    assert read_quantity("120,000", decimal_comma=True) == QuantityCell(Decimal(120))


@pytest.mark.parametrize(("cell", "quantity"), [("12.350", "12.35"), (".5", "0.5"), ("0.001", "0.001")])
def test_a_fraction_needs_a_unit_that_is_weighed_or_measured(cell: str, quantity: str) -> None:
    assert read_quantity(cell, decimal_comma=False) == QuantityCell(Decimal(quantity), needs_unit=cell)


def test_a_comma_that_may_be_a_decimal_sign_needs_a_unit_that_is_counted() -> None:
    assert read_quantity("1,200", decimal_comma=False) == QuantityCell(Decimal(1200), needs_unit="1,200")
    assert read_quantity("1.200", decimal_comma=True) == QuantityCell(Decimal(1200))


@pytest.mark.parametrize("cell", ["-2", "\u22122", "2-", "- 2.5", "-1,200"])
def test_negative_stock_is_zero(cell: str) -> None:
    assert read_quantity(cell, decimal_comma=False) == QuantityCell(Decimal(0), is_negative=True)


def test_minus_zero_is_zero_without_a_warning() -> None:
    assert read_quantity("-0.000", decimal_comma=False) == QuantityCell(Decimal(0))


def test_a_quantity_is_grouped_as_the_shops_country_groups() -> None:
    assert read_quantity("1,20,000", decimal_comma=False, currency="INR").quantity == 120_000
    with pytest.raises(CellRefused):
        read_quantity("1,20,000", decimal_comma=False, currency="EUR")


def test_a_number_of_a_workbook_or_of_json_has_a_decimal_point_in_every_file() -> None:
    assert read_quantity(NumberText("120.000"), decimal_comma=True).quantity == 120
    assert read_quantity(NumberText("12.35"), decimal_comma=True).quantity == Decimal("12.35")


@pytest.mark.parametrize("cell", ["many", "2147483648", "9" * 5000, "1_000", "\u0662", "", "-", "--2"])
def test_a_text_that_is_no_quantity_is_refused(cell: str) -> None:
    with pytest.raises(CellRefused):
        read_quantity(cell, decimal_comma=False)


def test_more_than_three_decimals_are_refused_rather_than_rounded() -> None:
    with pytest.raises(CellRefused, match=r"'12\.3505' has more than three decimals"):
        read_quantity("12.3505", decimal_comma=False)


def test_a_fraction_of_a_piece_says_what_to_write() -> None:
    assert str(unit_refusal("0.75", Unit.EACH, decimal_comma=False)) == (
        "0.75 is a fraction, and the product is counted in each: write a whole number, or change the "
        "product's unit, to kg for example"
    )


def test_pieces_with_thousands_in_the_other_style_name_the_option() -> None:
    refused = unit_refusal("1.200", Unit.EACH, decimal_comma=False)
    assert str(refused).endswith("; where the comma is the decimal sign, --decimal-comma reads it as 1200")


def test_a_weight_that_may_mean_two_numbers_is_refused_with_both() -> None:
    assert str(unit_refusal("12,350", Unit.KG, decimal_comma=False)).startswith(
        "'12,350' may be 12350 kg or 12.35 kg: write it without the comma"
    )
