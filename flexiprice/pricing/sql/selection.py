"""The selection of batches of a recompute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ColumnElement, Date, Integer, String, bindparam
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP


class SelectionFilter(StrEnum):
    """A part of a selection's statement; each is an optional field of `BatchSelection`."""

    ON = "on"
    BATCH_IDS = "batch_ids"
    STALE_IDS = "stale_ids"
    STORE = "store"
    CATEGORY_KEY = "category_key"
    EXCLUDED_BUCKETS = "excluded_buckets"
    STORE_PRICES = "store_prices"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSelection:
    """The batches to quote, and the day; None does not filter.

    Attributes:
        now: the instant that decides each store's local date.
        days_threshold: batches with more days to expiry are quoted only if they have an open discount.
        on: the date in all stores, instead of the local dates at `now`.
        batch_ids: only these batches; no other products than theirs are priced.
        stale_ids: only these of the selected batches, from `candidates.find_stale`.
        store: only batches of the store with this code.
        category_key: only batches of this category.
        excluded_buckets: no batches of these buckets, see `buckets`.
        store_prices: True where a store may have prices of its own; None spares their join.
    """

    now: datetime
    days_threshold: int
    on: date | None = None
    batch_ids: Sequence[int] | None = None
    stale_ids: Sequence[int] | None = None
    store: str | None = None
    category_key: str | None = None
    excluded_buckets: Sequence[int] | None = None
    store_prices: bool | None = None

    @property
    def filters(self) -> frozenset[SelectionFilter]:
        """The filters in use: the statement has a condition or a join for each."""
        return frozenset(kind for kind in SelectionFilter if getattr(self, kind.value) is not None)

    def parameters(self) -> Mapping[str, object]:
        """Returns the values of this module's parameters."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


# Not required, so that a statement can be compiled before the values are known.
NOW: ColumnElement[datetime] = bindparam("now", required=False, type_=TIMESTAMP(timezone=True))
DAYS_THRESHOLD: ColumnElement[int] = bindparam("days_threshold", required=False, type_=Integer)
ON: ColumnElement[date] = bindparam("on", required=False, type_=Date)
BATCH_IDS: ColumnElement[Sequence[int]] = bindparam("batch_ids", required=False, type_=ARRAY(BigInteger))
STALE_IDS: ColumnElement[Sequence[int]] = bindparam("stale_ids", required=False, type_=ARRAY(BigInteger))
STORE: ColumnElement[str] = bindparam("store", required=False, type_=String)
CATEGORY_KEY: ColumnElement[str] = bindparam("category_key", required=False, type_=String)
EXCLUDED_BUCKETS: ColumnElement[Sequence[int]] = bindparam(
    "excluded_buckets", required=False, type_=ARRAY(Integer)
)
