"""SQL literals, and prices as whole cents: exact like NUMERIC, at a fraction of its cost."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Dialect,
    Integer,
    Numeric,
    SmallInteger,
    SQLColumnExpression,
    String,
    TypeDecorator,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    type_coerce,
)
from sqlalchemy.orm import InstrumentedAttribute

from flexiprice.db.tables import PriceDecision, Product
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.quantity import Unit
from flexiprice.domain.quote import Limit, limits_from_mask


class LimitMask(TypeDecorator[tuple[Limit, ...]]):
    """Converts a mask to limits; NULL becomes no limits."""

    impl = SmallInteger
    cache_ok = True

    def process_result_value(self, value: int | None, dialect: Dialect) -> tuple[Limit, ...]:  # noqa: ARG002 the interface's
        """Returns the limits of a mask."""
        return limits_from_mask(value or 0)


def limits_of(mask: InstrumentedAttribute[int]) -> ColumnElement[tuple[Limit, ...]]:
    """Selects a column of masks as limits."""
    return type_coerce(mask, LimitMask())


_ENUM_COLUMNS: Mapping[type[StrEnum], InstrumentedAttribute[Any]] = {
    DecisionKind: PriceDecision.kind,
    CloseReason: PriceDecision.close_reason,
    Unit: Product.unit,
}


def enum_literal(member: DecisionKind | CloseReason | Unit) -> ColumnElement[Any]:
    """An enum literal of the database's type."""
    column = _ENUM_COLUMNS[type(member)]
    return cast(bindparam(None, member.value, String, literal_execute=True), column.type)


def no_reason() -> ColumnElement[Any]:
    """The NULL close reason."""
    return cast(null(), PriceDecision.close_reason.type)


def worth(price: SQLColumnExpression[Any], quantity: SQLColumnExpression[Any]) -> ColumnElement[Decimal]:
    """The value of a quantity at a price of a unit: exact, with five decimals."""
    return cast(price, Numeric) * cast(quantity, BigInteger) * literal_column("0.001", Numeric)


def total_worth(values: ColumnElement[Decimal]) -> ColumnElement[Decimal]:
    """The sum of values of `worth`, rounded half-up to cents once."""
    return cast(func.sum(values), Numeric(None, 2))


RATE_PARTS = 10_000
"""The denominator of rates and fractions: they are counted in ten-thousandths."""


def int_literal(whole: int) -> ColumnElement[int]:
    """An integer literal, which needs no parameter."""
    return literal_column(str(int(whole)), Integer)


def date_literal(day: date) -> ColumnElement[date]:
    """A date literal, which needs no parameter."""
    return literal_column(f"date '{day.isoformat()}'", Date)


def quotient(dividend: ColumnElement[int], divisor: ColumnElement[int]) -> ColumnElement[int]:
    """Integer division without remainder, of non-negative BIGINTs."""
    return dividend.op("/", precedence=8, return_type=BigInteger())(divisor)


def cents_of(price: ColumnElement[Any]) -> ColumnElement[int]:
    """A NUMERIC with at most two decimals in whole cents."""
    return cast(price * literal_column("100", Numeric), BigInteger)


def price_of(price_cents: ColumnElement[int]) -> ColumnElement[Decimal]:
    """Whole cents as NUMERIC(12, 2)."""
    return cast(cast(price_cents, Numeric) * literal_column("0.01", Numeric), Numeric(12, 2))


def rate_of(price_cents: ColumnElement[int], base_cents: ColumnElement[int]) -> ColumnElement[Decimal]:
    """The effective rate, 1 - price / base price half-up to 4 decimals, as NUMERIC(5, 4)."""
    doubled = (base_cents - price_cents) * int_literal(2 * RATE_PARTS) + base_cents
    parts = quotient(doubled, base_cents * int_literal(2))
    return cast(cast(parts, Numeric) * literal_column("0.0001", Numeric), Numeric(5, 4))
