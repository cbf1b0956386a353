"""Prices as whole cents in SQL: exact like NUMERIC, at a fraction of its cost."""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Numeric, cast, literal_column

RATE_PARTS = 10_000
"""Rates and fractions are counted in ten-thousandths."""


def number(whole: int) -> ColumnElement[int]:
    """A whole number as a constant of the statement, so that it needs no parameter."""
    return literal_column(str(int(whole)), Integer)


def cents(amount: Decimal) -> int:
    """An amount of the policy in whole cents."""
    return int(amount * 100)


def rate_parts(rate: Decimal) -> int:
    """A rate or fraction of the policy in ten-thousandths."""
    return int(rate * RATE_PARTS)


def quotient(dividend: ColumnElement[int], divisor: ColumnElement[int]) -> ColumnElement[int]:
    """Division of whole numbers that drops the remainder; both are BIGINT and not negative."""
    return dividend.op("/", precedence=8, return_type=BigInteger())(divisor)


def cents_of(price: ColumnElement[Any]) -> ColumnElement[int]:
    """A NUMERIC with at most two decimals in whole cents."""
    return cast(price * literal_column("100", Numeric), BigInteger)


def price_of(price_cents: ColumnElement[int]) -> ColumnElement[Decimal]:
    """Whole cents as NUMERIC(12, 2)."""
    return cast(cast(price_cents, Numeric) * literal_column("0.01", Numeric), Numeric(12, 2))


def rate_of(price_cents: ColumnElement[int], base_cents: ColumnElement[int]) -> ColumnElement[Decimal]:
    """The effective rate, 1 - price / base price half-up to 4 decimals, as NUMERIC(5, 4)."""
    doubled = (base_cents - price_cents) * number(2 * RATE_PARTS) + base_cents
    parts = quotient(doubled, base_cents * number(2))
    return cast(cast(parts, Numeric) * literal_column("0.0001", Numeric), Numeric(5, 4))
