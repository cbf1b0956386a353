"""Quantities of stock: units of products, and numbers with at most three decimals.

A quantity is a `Decimal` here, whole thousandths (BIGINT) in PostgreSQL, and a string in JSON. This module
alone converts.
"""

import re
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from flexiprice.errors import InvalidInput

THOUSANDTHS: Final = 1000
"""Thousandths in a unit."""
MAX_QUANTITY: Final = 2_147_483_647

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)


class Unit(StrEnum):
    """The unit in which a product is counted and priced."""

    EACH = "each"
    """A piece; quantities are whole numbers."""
    KG = "kg"
    LB = "lb"
    L = "l"
    M = "m"

    @property
    def step(self) -> int:
        """The smallest quantity in thousandths; every quantity is a multiple of it."""
        return THOUSANDTHS if self is Unit.EACH else 1


def to_thousandths(quantity: Decimal | int) -> int:
    """Converts a quantity to thousandths.

    Raises:
        ValueError: it has more than three decimals.
    """
    thousandths = Decimal(quantity) * THOUSANDTHS
    if thousandths != int(thousandths):
        raise ValueError(f"{quantity} has more than three decimals")
    return int(thousandths)


def from_thousandths(thousandths: int) -> Decimal:
    """Converts thousandths to a quantity without trailing zeros: 120 or 12.35."""
    whole, rest = divmod(thousandths, THOUSANDTHS)
    return Decimal(thousandths).scaleb(-3).normalize() if rest else Decimal(whole)


def format_quantity(quantity: Decimal, unit: Unit = Unit.EACH) -> str:
    """Formats a quantity as text, with its unit unless that is `each`: `24` or `12.35 kg`."""
    number = f"{from_thousandths(to_thousandths(quantity)):f}"
    return number if unit is Unit.EACH else f"{number} {unit}"


def fraction_refusal(quantity: Decimal) -> str:
    """Returns the reason why a fraction of a product in `each` is refused."""
    return (
        f"{format_quantity(quantity)} is a fraction, and the product is counted in each: write a whole "
        "number, or change the product's unit, to kg for example"
    )


def require_countable(quantity: Decimal, unit: Unit, *, field: str) -> None:
    """Checks that a quantity is possible in a unit.

    Args:
        quantity: the quantity, with at most three decimals.
        unit: of the product.
        field: the request's field, for the error.

    Raises:
        InvalidInput: it is a fraction, and the unit is `each`.
    """
    if to_thousandths(quantity) % unit.step:
        raise InvalidInput(fraction_refusal(quantity), field=field)


def _quantity(least: int) -> BeforeValidator:
    def check(value: object) -> Decimal:
        # Never a float: the decimal that it was parsed from is lost.
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            value = Decimal(value.strip())
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
            raise PydanticCustomError("quantity", "must be a quantity such as 12 or 12.350")
        if not least <= value <= MAX_QUANTITY:
            raise PydanticCustomError(
                "quantity_range", "must be from {least} to {most}", {"least": least, "most": MAX_QUANTITY}
            )
        try:
            return from_thousandths(to_thousandths(value))
        except ValueError:
            raise PydanticCustomError("quantity_decimals", "must have at most 3 decimals") from None

    return BeforeValidator(check)


def _schema(least: int, description: str) -> WithJsonSchema:
    sign = "-?" if least < 0 else ""
    return WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": rf"^{sign}[0-9]{{1,9}}(\.[0-9]{{1,3}})?$"},
                {"type": "number", "minimum": least, "maximum": MAX_QUANTITY, "multipleOf": 0.001},
            ],
            "description": description,
        }
    )


Quantity = Annotated[
    Decimal,
    _quantity(0),
    _schema(0, "Stock in the product's unit: whole in `each`, else with at most 3 decimals."),
]
QuantityDelta = Annotated[
    Decimal,
    _quantity(-MAX_QUANTITY),
    _schema(-MAX_QUANTITY, "Quantity to add to the stock, in the product's unit."),
]
