"""The column type of quantities."""

from decimal import Decimal

from sqlalchemy import BigInteger, Dialect, TypeDecorator

from flexiprice.domain.quantity import from_thousandths, to_thousandths


class QuantityType(TypeDecorator[Decimal]):
    """A quantity, stored as whole thousandths of the product's unit (BIGINT); the sum of many too."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002 the interface's
        """Converts a quantity to thousandths."""
        return None if value is None else to_thousandths(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 the interface's
        """Converts thousandths to a quantity. PostgreSQL sums BIGINT as NUMERIC."""
        return None if value is None else from_thousandths(int(value))
