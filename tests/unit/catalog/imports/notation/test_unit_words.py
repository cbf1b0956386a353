"""Units in the words and codes of other systems."""

import pytest

from flexiprice.catalog.imports.notation.cells import CellRefused
from flexiprice.catalog.imports.notation.unit_words import read_unit
from flexiprice.domain.quantity import Unit


@pytest.mark.parametrize(
    ("word", "unit"),
    [
        ("each", Unit.EACH),
        ("Nos", Unit.EACH),
        ("Units", Unit.EACH),
        ("Stück", Unit.EACH),
        ("Kg", Unit.KG),
        ("KGM", Unit.KG),
        ("lbs.", Unit.LB),
        (" Litre ", Unit.L),
        ("m", Unit.M),
    ],
)
def test_units_of_shops_and_erp_systems_are_known(word: str, unit: Unit) -> None:
    assert read_unit(word) is unit


@pytest.mark.parametrize("word", ["g", "Dozen", "box", "kg/m"])
def test_a_unit_that_stock_is_not_counted_in_is_refused_with_those_that_it_is(word: str) -> None:
    with pytest.raises(CellRefused, match=r"each, kg, lb, l, m: convert .*--map unit= leaves the column out"):
        read_unit(word)
