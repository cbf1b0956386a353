"""Reads the units of products, in the words and codes of other systems."""

from collections.abc import Mapping
from typing import Final

from flexiprice.catalog.imports.notation.cells import CellRefused, shown
from flexiprice.catalog.imports.spelling import Option
from flexiprice.domain.quantity import Unit

# Words of shops and ERP systems, and the codes of UN/ECE recommendation 20 that GS1 uses.
_WORDS: Final[Mapping[Unit, str]] = {
    Unit.EACH: "each ea eaches pc pcs pce piece pieces unit units no nos number item items c62 h87 stk stck "
    "stück stueck pièce pièces unité unités unidad unidades ud uds pieza piezas pz pezzo pezzi stuk stuks "
    "szt ks",
    Unit.KG: "kg kgs kgm kilo kilos kilogram kilograms kilogramme kilogrammes kilogramm",
    Unit.LB: "lb lbs lbr pound pounds",
    Unit.L: "l ltr lt liter liters litre litres litro litros",
    Unit.M: "m mtr meter meters metre metres metro metros",
}
_UNITS: Final = {word: unit for unit, words in _WORDS.items() for word in words.split()}


def read_unit(cell: str) -> Unit:
    """Reads a unit such as `kg`, `Nos` or `Litre`.

    Raises:
        CellRefused: it is none of the units that stock is counted in.
    """
    unit = _UNITS.get(cell.strip().rstrip(".").casefold())
    if unit is None:
        raise CellRefused(
            f"{shown(cell.strip())} is not one of the units {', '.join(Unit)}: convert quantities "
            "and prices to one of them; ",
            Option("map", "unit="),
            " leaves the column out",
        )
    return unit
