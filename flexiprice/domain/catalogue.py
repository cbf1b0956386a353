"""What the fields of stores, products and batches may hold: said once, for every way they come in."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, Strict, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from flexiprice.domain.money import CENT, MAX_PRICE, MIN_PRICE

MAX_QUANTITY = 2_147_483_647
MAX_BATCH_ID = 9_223_372_036_854_775_807
_EARLIEST = date(1970, 1, 1)
# Far from `date.max`, to which no day can be added and which the database's driver takes for infinity.
_LATEST = date(2999, 12, 31)

# Control characters, line separators and halves of surrogate pairs: some of them no database stores,
# and none can be told apart by somebody who reads a label.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_AMOUNT = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _line(most: int, least: int = 1) -> AfterValidator:
    def check(text: str) -> str:
        if _UNPRINTABLE.search(text):
            raise PydanticCustomError("unprintable", "must not have control characters or line breaks")
        line = text if text.isascii() else unicodedata.normalize("NFC", text)
        line = line.strip()
        if not least <= len(line) <= most:
            raise PydanticCustomError(
                "length", "must have {least} to {most} characters", {"least": least, "most": most}
            )
        return line

    return AfterValidator(check)


def _amount(least: Decimal) -> Callable[[object], object]:
    def check(value: object) -> object:
        # Never a float: what it was before it became one can no longer be known.
        if isinstance(value, str) and _AMOUNT.fullmatch(value.strip()):
            value = Decimal(value.strip())
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise PydanticCustomError("amount", "must be an amount such as 3.49")
        amount = Decimal(value)
        if not least <= amount <= MAX_PRICE:
            raise PydanticCustomError(
                "amount_range",
                "must be from {least} to {most}",
                {"least": str(least), "most": str(MAX_PRICE)},
            )
        if amount != amount.quantize(CENT):
            raise PydanticCustomError("amount_decimals", "must have at most 2 decimals")
        return amount.quantize(CENT)

    def checked(value: object) -> object:
        try:
            return check(value)
        except InvalidOperation:  # a comparison with NaN
            raise PydanticCustomError("amount", "must be an amount such as 3.49") from None

    return checked


def _iso_date(value: object) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value.strip()):
        try:
            value = date.fromisoformat(value.strip())
        except ValueError:
            raise PydanticCustomError("date", "is not a day of the calendar") from None
    # A datetime is a date to Python, not to a calendar.
    if type(value) is not date:
        raise PydanticCustomError("date", "must be a date such as 2025-03-31")
    if not _EARLIEST <= value <= _LATEST:
        raise PydanticCustomError("date_range", "must be from 1970-01-01 to 2999-12-31")
    return value


@cache
def _known_time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _time_zone(name: str) -> str:
    if name not in _known_time_zones():
        raise PydanticCustomError("time_zone", "must be an IANA time zone such as Europe/Berlin")
    return name


StoreCode = Annotated[
    str,
    StringConstraints(max_length=40, pattern=r"^[a-z0-9][a-z0-9_-]*$"),
    Field(description="Lower-case letters, digits, `-` and `_`; at most 40."),
]
TimeZoneName = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(_time_zone),
    Field(description="IANA name of the time zone whose calendar the store's dates are in."),
]
Sku = Annotated[str, _line(64), Field(description="What the product is known by; at most 64 characters.")]
ProductName = Annotated[str, _line(200)]
CategoryName = Annotated[
    str, _line(100), Field(description="Compared without regard to case and surrounding spaces.")
]
Lot = Annotated[
    str, _line(64, least=0), Field(description="Tells batches apart that share an expiry date; may be empty.")
]
Quantity = Annotated[int, Strict(), Field(ge=0, le=MAX_QUANTITY, description="Units in stock.")]
QuantityDelta = Annotated[int, Strict(), Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]

_AMOUNT_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]{1,10}(\.[0-9]{1,2})?$"},
        {"type": "number", "multipleOf": 0.01},
    ]
}
BasePrice = Annotated[
    Decimal,
    BeforeValidator(_amount(MIN_PRICE)),
    WithJsonSchema({**_AMOUNT_SCHEMA, "description": "0.01 to 9999999999.99, at most 2 decimals."}),
]
UnitCost = Annotated[
    Decimal,
    BeforeValidator(_amount(Decimal(0))),
    WithJsonSchema({**_AMOUNT_SCHEMA, "description": "What a unit costs the store: 0 to 9999999999.99."}),
]
CalendarDate = Annotated[
    date,
    BeforeValidator(_iso_date),
    WithJsonSchema(
        {"type": "string", "format": "date", "description": "ISO 8601, 1970-01-01 to 2999-12-31."}
    ),
]
