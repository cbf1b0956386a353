"""Field types of stores, products and batches: one definition for the API, imports and commands."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

from flexiprice.domain.characters import (
    CONTROLS,
    HIDDEN,
    JOINERS,
    LOOK_ALIKES,
    SELECTORS,
    refuse_hidden_in_code,
    refuse_hidden_in_name,
)
from flexiprice.domain.gtin import gtin_14
from flexiprice.domain.money import CENT, MAX_PRICE, MIN_PRICE
from flexiprice.domain.validation_reasons import TextPattern

MAX_BATCH_ID = 9_223_372_036_854_775_807
_EARLIEST = date(1970, 1, 1)
# Well below `date.max`: no day can be added to that, and the database driver reads it as infinity.
_LATEST = date(2999, 12, 31)

_AMOUNT = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True)
class _Line:
    """A stripped line of text. A code refuses look-alike characters too, as machines compare it."""

    most: int
    least: int = 1
    is_code: bool = False

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # Clients and fuzzers read the JSON schema, so it states the rule as a pattern.
        refused = f"{CONTROLS}{HIDDEN}{JOINERS}{SELECTORS}" + (LOOK_ALIKES if self.is_code else "")
        visible = rf"[^\s{refused}][^{refused}]*" if self.least else ""
        return {
            **handler(core_schema),
            "minLength": self.least,
            "maxLength": self.most,
            "pattern": rf"^[^{refused}]*{visible}$",
        }

    def _check(self, text: str) -> str:
        line = refuse_hidden_in_code(text) if self.is_code else refuse_hidden_in_name(text)
        if not line.isascii():
            line = unicodedata.normalize("NFC", line)
        line = line.strip()
        if not self.least <= len(line) <= self.most:
            raise PydanticCustomError(
                "length",
                "must have {least} to {most} characters",
                {"least": self.least, "most": self.most},
            )
        return line


def _amount(least: Decimal) -> Callable[[object], object]:
    def check(value: object) -> object:
        # Never a float: the decimal that it was parsed from is lost.
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
    # `datetime` is a subclass of `date`; refuse it.
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
    StringConstraints(max_length=40),
    TextPattern(
        "[a-z0-9][a-z0-9_-]*",
        "must be lower-case letters, digits, - and _, beginning with a letter or digit, such as berlin-2",
    ),
    Field(description="Lower-case letters, digits, `-` and `_`; at most 40."),
]
TimeZoneName = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(_time_zone),
    Field(description="IANA time zone in which the store's dates are local dates."),
]
Sku = Annotated[
    str,
    _Line(64, is_code=True),
    Field(description="Stock-keeping unit: identifies the product; at most 64 characters."),
]
Gtin = Annotated[
    str,
    AfterValidator(gtin_14),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^([0-9]{8}|[0-9]{12,14})$",
            "description": "GTIN-8, GTIN-12 (UPC), GTIN-13 (EAN) or GTIN-14 with its check digit.",
        }
    ),
]
ProductName = Annotated[str, _Line(200)]
CategoryName = Annotated[
    str, _Line(100), Field(description="Compared case-insensitively, without surrounding spaces.")
]
Lot = Annotated[
    str,
    _Line(64, least=0, is_code=True),
    Field(description="Names the batch of a product in a store; if it is empty, the expiry date does."),
]


def _amount_schema(least: Decimal, description: str) -> WithJsonSchema:
    # Where 0 is not allowed, refuse a string of zeros only.
    nonzero = r"(?!0+(\.0+)?$)" if least else ""
    return WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": rf"^{nonzero}[0-9]{{1,10}}(\.[0-9]{{1,2}})?$"},
                {
                    "type": "number",
                    "minimum": float(least),
                    "maximum": float(MAX_PRICE),
                    "multipleOf": 0.01,
                },
            ],
            "description": description,
        }
    )


BasePrice = Annotated[
    Decimal,
    BeforeValidator(_amount(MIN_PRICE)),
    _amount_schema(MIN_PRICE, "0.01 to 9999999999.99, at most 2 decimals."),
]
UnitCost = Annotated[
    Decimal,
    BeforeValidator(_amount(Decimal(0))),
    _amount_schema(Decimal(0), "Purchase cost of a unit: 0 to 9999999999.99."),
]
CalendarDate = Annotated[
    date,
    BeforeValidator(_iso_date),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date",
            "pattern": "^(19[7-9]|2[0-9][0-9])",
            "description": "ISO 8601, 1970-01-01 to 2999-12-31.",
        }
    ),
]
