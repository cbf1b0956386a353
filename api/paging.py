"""Keyset pagination: a cursor encodes the sort key of the last item, and is opaque to clients."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from flexiprice.domain.catalog import MAX_BATCH_ID, Sku, StoreCode
from flexiprice.errors import InvalidInput

MAX_PAGE: Final = 500

ItemT = TypeVar("ItemT")
PlaceT = TypeVar("PlaceT")
RecordT = TypeVar("RecordT")

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Maximum number of items.")]
Cursor = Annotated[
    str | None,
    Query(max_length=1000, description="`next_cursor` of the previous page; omit it for the first page."),
]


class Page(BaseModel, Generic[ItemT]):
    """A page of a list; request the next page with `cursor=` the `next_cursor` of this one."""

    items: list[ItemT]
    next_cursor: str | None = Field(description="Null on the last page.", examples=["WyJTS1UtMSJd"])


class ChangePage(Page[ItemT], Generic[ItemT]):
    """A page of a list that can be filtered by `changed_since`."""

    as_of: datetime | None = Field(
        description="Use it as the next `changed_since`: no change is missed, even one that was being "
        "written during this request; recent changes may be listed twice. Only on the first page.",
        examples=["2025-03-31T08:59:58Z"],
    )


def change_page(page: Page[ItemT], as_of: datetime | None) -> ChangePage[ItemT]:
    """Adds to a page the instant for the next `changed_since`."""
    result: ChangePage[ItemT] = ChangePage(items=page.items, next_cursor=page.next_cursor, as_of=as_of)
    return result


class Places(Generic[PlaceT]):
    """Encodes and decodes the cursors of one sort order."""

    def __init__(self, place: TypeAdapter[PlaceT]) -> None:
        self._adapter = place

    def read(self, cursor: str | None) -> PlaceT | None:
        """Decodes a cursor.

        Raises:
            InvalidInput: it is not a cursor of this order.
        """
        if cursor is None:
            return None
        try:
            encoded = cursor.encode("ascii")
            return self._adapter.validate_json(base64.b64decode(encoded, altchars=b"-_", validate=True))
        except (UnicodeEncodeError, binascii.Error, ValidationError) as error:
            raise InvalidInput("cursor: is not a cursor of this list", field="cursor") from error

    def page(
        self,
        records: Sequence[RecordT],
        limit: int,
        *,
        item: Callable[[RecordT], ItemT],
        place: Callable[[RecordT], PlaceT],
    ) -> Page[ItemT]:
        """Makes a page of at most `limit` items; one record more than that shows that a next page exists."""
        shown = records[:limit]
        has_more = len(records) > limit
        next_cursor = self._write(place(shown[-1])) if has_more else None
        return Page(items=[item(record) for record in shown], next_cursor=next_cursor)

    def _write(self, place: PlaceT) -> str:
        return base64.urlsafe_b64encode(self._adapter.dump_json(place)).decode("ascii")


def _no_number(value: object) -> object:
    # Pydantic would read a number as seconds or milliseconds since 1970, whichever is plausible.
    if isinstance(value, str) and not value[:5].endswith("-"):
        raise PydanticCustomError("instant", "must be an instant such as 2025-03-31T09:00:00Z")
    return value


_Id = Annotated[int, Field(ge=0, le=MAX_BATCH_ID)]
# Closer to either end of the calendar, conversion to UTC may overflow.
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_no_number),
    Field(
        ge=datetime(1970, 1, 1, tzinfo=UTC),
        le=datetime(9999, 1, 1, tzinfo=UTC),
        json_schema_extra={"pattern": "^(19[7-9][0-9]|[2-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])-"},
    ),
]
ChangedSince = Annotated[
    Instant | None,
    Query(
        description="Limits the list to items changed at this instant or later: `as_of` of the last request. "
        "Deleted items are not listed."
    ),
]
_Rate = Annotated[Decimal, Field(ge=0, le=1)]

BY_CODE: Final = Places(TypeAdapter[str](StoreCode))
BY_SKU: Final = Places(TypeAdapter[str](Sku))
BY_VERSION: Final = Places(TypeAdapter[int](Annotated[int, Field(ge=0, le=2_147_483_647)]))
BY_ID: Final = Places(TypeAdapter[int](_Id))
BY_RATE: Final = Places(TypeAdapter[tuple[Decimal, int]](tuple[_Rate, _Id]))
BY_INSTANT: Final = Places(TypeAdapter[tuple[datetime, int]](tuple[Instant, _Id]))
