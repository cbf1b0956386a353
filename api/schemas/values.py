"""Base models, and types of values: amounts and rates are strings, so that no client parses floats."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from flexiprice.domain.quantity import format_quantity


def _two_decimals(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _four_decimals(rate: Decimal) -> str:
    return f"{rate:.4f}"


Amount = Annotated[
    Decimal,
    PlainSerializer(_two_decimals, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+\.[0-9]{2}$", "examples": ["1.50"]}),
]
Rate = Annotated[
    Decimal,
    PlainSerializer(_four_decimals, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^0\.[0-9]{4}$",
            "examples": ["0.2500"],
            "description": "Fraction of the base price.",
        }
    ),
]


QuantityOut = Annotated[
    Decimal,
    PlainSerializer(format_quantity, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]{1,3})?$",
            "examples": ["24"],
            "description": "Stock in the product's unit.",
        }
    ),
]


class ResponseModel(BaseModel):
    """Base of response models, made from records of the packages below."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, record: object) -> Self:
        """Converts a record."""
        return cls.model_validate(record)


class RequestModel(BaseModel):
    """Base of request models; rejects unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _is_an_object(cls, value: object) -> object:
        # FastAPI validates from attributes too, so that a bare decimal would pass as an object.
        if not isinstance(value, Mapping | cls):
            raise PydanticCustomError("object", "must be a JSON object")
        return cast("object", value)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


# Default of a field that may be omitted but may not be null.
LEFT_OUT: Any = Field(default=None, json_schema_extra=_without_default)
