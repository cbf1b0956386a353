"""Reads the limits of a price from the mask in which they are stored."""

from sqlalchemy import ColumnElement, Dialect, SmallInteger, TypeDecorator, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from flexiprice.domain.limits import Limit, limits_from_mask


class LimitMask(TypeDecorator[tuple[Limit, ...]]):
    """A mask on the server, limits here; no discount has no limits."""

    impl = SmallInteger
    cache_ok = True

    def process_result_value(self, value: int | None, dialect: Dialect) -> tuple[Limit, ...]:  # noqa: ARG002 the interface's
        """The limits of a mask."""
        return limits_from_mask(value or 0)


def limits_of(mask: InstrumentedAttribute[int]) -> ColumnElement[tuple[Limit, ...]]:
    """A column of masks, read as limits."""
    return type_coerce(mask, LimitMask())
