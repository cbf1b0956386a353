"""A rejected value gets a reason that its user understands."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from flexiprice.domain.catalog import StoreCode
from flexiprice.domain.validation_reasons import reason_of


class Shelf(StrEnum):
    TOP = "top"
    BOTTOM = "bottom"


STORE_CODE = "must be lower-case letters, digits, - and _, beginning with a letter or digit, such as berlin-2"
REJECTED = [
    (StoreCode, "Nord Süd", STORE_CODE),
    (StoreCode, "-main", STORE_CODE),
    (StoreCode, "main\n", STORE_CODE),
    (StoreCode, "", STORE_CODE),
    (StoreCode, "a" * 41, "must have at most 40 characters"),
    (StoreCode, 3, "must be text"),
    (Annotated[int, Field(ge=1, le=365)], 0, "must be at least 1"),
    (Annotated[int, Field(ge=1, le=365)], 366, "must be at most 365"),
    (Annotated[float, Field(le=3600.0)], 4000, "must be at most 3600"),
    (Annotated[float, Field(gt=0.5)], 0.5, "must be above 0.5"),
    (Annotated[int, Field(lt=2**31)], 2**31, "must be below 2147483648"),
    (Annotated[timedelta, Field(ge=timedelta(minutes=5))], 10, "must be at least 5 minutes"),
    (timedelta, "soon", "must be a duration: seconds, such as 30, or ISO 8601, such as PT30S"),
    (int, "many", "must be a whole number, such as 3"),
    (int, 1.5, "must be a whole number, such as 3"),
    (float, "many", "must be a number, such as 1.5"),
    (bool, "perhaps", "must be true or false"),
    (Shelf, "middle", "must be 'top' or 'bottom'"),
    (Literal["json", "console"], "xml", "must be 'json' or 'console'"),
    (Annotated[str, Field(min_length=1)], "", "must have at least 1 character"),
    (Annotated[list[int], Field(max_length=2)], [1, 2, 3], "must have at most 2 items, not 3"),
    (Annotated[list[int], Field(min_length=1)], [], "must have at least 1 item, not 0"),
    (AwareDatetime, "yesterday", "must be an instant with its time zone, such as 2025-03-31T09:00:00Z"),
    (
        AwareDatetime,
        "2025-03-31T09:00:00",
        "must be an instant with its time zone, such as 2025-03-31T09:00:00Z",
    ),
    (UUID, "17", "must be an id such as 01960000-0000-7000-8000-000000000001"),
]


@pytest.mark.parametrize(("kind", "value", "reason"), REJECTED)
def test_a_rejected_value_gets_a_reason_in_plain_words(kind: Any, value: object, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    assert [reason_of(fault) for fault in caught.value.errors()] == [reason]


def test_a_reason_of_our_own_is_kept() -> None:
    fault = {"type": "value_error", "msg": "Value error, give either task_ids or all"}
    assert reason_of(fault) == "give either task_ids or all"


@pytest.mark.parametrize("code", ["main", "2nd", "berlin-2", "a" * 40])
def test_a_store_code_is_kept_as_it_is_and_the_json_schema_has_its_pattern(code: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(StoreCode)
    assert adapter.validate_python(code) == code
    assert adapter.json_schema()["pattern"] == "^[a-z0-9][a-z0-9_-]*$"
    assert adapter.json_schema()["maxLength"] == 40
