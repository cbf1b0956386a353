"""Ranges of days and of quantities in a policy."""

from decimal import Decimal
from functools import cached_property
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from flexiprice.domain.quantity import Quantity, to_thousandths


class StrictModel(BaseModel):
    """A part of the document: immutable, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(StrictModel):
    """Whole numbers from `min` to `max`, both inclusive; an omitted end is open."""

    min: Annotated[StrictInt, Field(ge=0)] | None = None
    max: Annotated[StrictInt, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError(
                "empty_range", "min {min} is above max {max}", {"min": self.min, "max": self.max}
            )
        return self

    def __contains__(self, number: int) -> bool:
        return (self.min is None or self.min <= number) and (self.max is None or number <= self.max)

    def covers(self, other: "Range") -> bool:
        """Whether every number of the other range is in this one."""
        starts_first = (self.min or 0) <= (other.min or 0)
        return starts_first and (self.max is None or (other.max is not None and other.max <= self.max))

    def overlaps(self, other: "Range") -> bool:
        """Whether any number is in both ranges."""
        least = max(self.min or 0, other.min or 0)
        return least in self and least in other


def at_most(bound: int) -> AfterValidator:
    """Validates that a range has no end above the bound."""

    def check(numbers: Range) -> Range:
        if max(numbers.min or 0, numbers.max or 0) > bound:
            raise PydanticCustomError("range_bound", "must not go above {bound}", {"bound": bound})
        return numbers

    return AfterValidator(check)


class QuantityRange(StrictModel):
    """Quantities from `min` to `max`, both inclusive; an omitted end is open."""

    min: Quantity | None = None
    max: Quantity | None = None

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError(
                "empty_range",
                "min {min} is above max {max}",
                {"min": str(self.min), "max": str(self.max)},
            )
        return self

    def __contains__(self, quantity: Decimal) -> bool:
        return (self.min is None or self.min <= quantity) and (self.max is None or quantity <= self.max)

    @cached_property
    def thousandths(self) -> Range:
        """The same range in thousandths."""
        low, high = (None if end is None else to_thousandths(end) for end in (self.min, self.max))
        return Range(min=low, max=high)


IN_STOCK = Range(min=1)
"""The quantities that can be sold, in thousandths; rules do not apply to others."""
