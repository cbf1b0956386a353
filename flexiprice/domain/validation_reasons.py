"""Reasons for rejected values, in the words of people who know the field but not pydantic."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

_WHOLE_NUMBER: Final = "must be a whole number, such as 3"
_NUMBER: Final = "must be a number, such as 1.5"
_TRUE_OR_FALSE: Final = "must be true or false"
_INSTANT: Final = "must be an instant with its time zone, such as 2025-03-31T09:00:00Z"
_DURATION: Final = "must be a duration: seconds, such as 30, or ISO 8601, such as PT30S"
_REASONS: Final[Mapping[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "finite_number": "must be a finite number",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _TRUE_OR_FALSE,
    "bool_parsing": _TRUE_OR_FALSE,
    "string_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be an object with names and values",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "datetime_type": _INSTANT,
    "datetime_parsing": _INSTANT,
    "datetime_from_date_parsing": _INSTANT,
    "timezone_aware": _INSTANT,
    "time_delta_type": _DURATION,
    "time_delta_parsing": _DURATION,
    "uuid_type": "must be an id such as 01960000-0000-7000-8000-000000000001",
    "uuid_parsing": "must be an id such as 01960000-0000-7000-8000-000000000001",
}
_LENGTHS: Final = frozenset({"string_too_short", "string_too_long", "too_short", "too_long"})


def reason_of(fault: Mapping[str, Any]) -> str:
    """Returns the reason why a value was rejected, from one of pydantic's error details.

    The reason completes a sentence that begins with the name of the value: `must be at most 365`.
    """
    if fault["type"] in _REASONS:
        context: Mapping[str, Any] = fault.get("ctx", {})
        return _REASONS[fault["type"]].format(**{name: _plain(value) for name, value in context.items()})
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] in _LENGTHS:
        # Pydantic counts well: "List should have at least 1 item after validation, not 0".
        return f"must {message.partition(' should ')[2].replace(' after validation', '')}"
    return message


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


@dataclass(frozen=True)
class TextPattern:
    """Constrains a text to a regular expression; the error states the rule instead of the expression.

    Attributes:
        pattern: the expression, without anchors; JSON schemas have it too.
        reason: the rule and an example: `must be lower-case letters, such as main`.
    """

    pattern: str
    reason: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core_schema), "pattern": f"^{self.pattern}$"}

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise PydanticCustomError("text_pattern", "{reason}", {"reason": self.reason})
        return text
