"""Quantities: units, thousandths, and what is refused."""

from decimal import Decimal

import pytest
from pydantic import TypeAdapter, ValidationError

from flexiprice.domain.quantity import (
    Quantity,
    QuantityDelta,
    Unit,
    format_quantity,
    from_thousandths,
    require_countable,
    to_thousandths,
)
from flexiprice.errors import InvalidInput

QUANTITY = TypeAdapter[Decimal](Quantity)
DELTA = TypeAdapter[Decimal](QuantityDelta)


@pytest.mark.parametrize(
    ("quantity", "thousandths"), [("0", 0), ("24", 24_000), ("12.350", 12_350), ("0.001", 1), ("-2.5", -2500)]
)
def test_a_quantity_is_whole_thousandths_and_back(quantity: str, thousandths: int) -> None:
    assert to_thousandths(Decimal(quantity)) == thousandths
    assert from_thousandths(thousandths) == Decimal(quantity)


def test_a_fourth_decimal_is_never_dropped() -> None:
    with pytest.raises(ValueError, match="more than three decimals"):
        to_thousandths(Decimal("1.0001"))


@pytest.mark.parametrize(
    ("quantity", "unit", "text"),
    [("120.000", Unit.EACH, "120"), ("12.350", Unit.KG, "12.35 kg"), ("2147483647", Unit.L, "2147483647 l")],
)
def test_text_has_neither_trailing_zeros_nor_exponents(quantity: str, unit: Unit, text: str) -> None:
    assert format_quantity(Decimal(quantity), unit) == text


@pytest.mark.parametrize("value", [24, "24", "24.000", Decimal("24.0"), " 24 "])
def test_input_takes_strings_and_numbers(value: object) -> None:
    assert QUANTITY.validate_python(value) == 24


@pytest.mark.parametrize(
    "value", [-1, "1.0001", 2_147_483_648, "1e3", "", True, None, 1.5, Decimal("NaN"), Decimal("Infinity")]
)
def test_input_that_is_no_quantity_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        QUANTITY.validate_python(value)


def test_a_change_of_stock_may_be_negative() -> None:
    assert DELTA.validate_python("-2.500") == Decimal("-2.5")


def test_a_fraction_is_possible_in_every_unit_but_each() -> None:
    for unit in Unit:
        if unit is not Unit.EACH:
            require_countable(Decimal("0.5"), unit, field="quantity")
    with pytest.raises(InvalidInput, match=r"0\.5 is a fraction, .* counted in each: write a whole number"):
        require_countable(Decimal("0.5"), Unit.EACH, field="quantity")
