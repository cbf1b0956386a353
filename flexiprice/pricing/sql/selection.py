"""Which batches a recompute is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ColumnElement, Date, Integer, String, bindparam
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP


class SelectionFilter(StrEnum):
    """What makes a scope narrower than all batches today; each is an optional field of `Scope`."""

    ON = "on"
    BATCH_IDS = "batch_ids"
    STORE = "store"
    CATEGORY_KEY = "category_key"
    EXCLUDED_BUCKETS = "excluded_buckets"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSelection:
    """Which batches are quoted, and on which day; what is None does not narrow it.

    Attributes:
        now: the instant whose date each store has.
        days_threshold: batches further from their expiry are quoted only if they have a discount open.
        on: the date of every store, instead of that of `now`.
        batch_ids: only these batches.
        store: only the batches of the store with this code.
        category_key: only the batches of this category.
        excluded_buckets: not the batches of these cells, see `cells`.
    """

    now: datetime
    days_threshold: int
    on: date | None = None
    batch_ids: Sequence[int] | None = None
    store: str | None = None
    category_key: str | None = None
    excluded_buckets: Sequence[int] | None = None

    @property
    def filters(self) -> frozenset[SelectionFilter]:
        """What the statement must have conditions for; everything else about the scope is a parameter."""
        return frozenset(kind for kind in SelectionFilter if getattr(self, kind.value) is not None)

    def parameters(self) -> Mapping[str, object]:
        """Values for the parameters of this module."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


# Not required, so that a statement can be compiled before their values are known.
NOW: ColumnElement[datetime] = bindparam("now", required=False, type_=TIMESTAMP(timezone=True))
DAYS_THRESHOLD: ColumnElement[int] = bindparam("days_threshold", required=False, type_=Integer)
ON: ColumnElement[date] = bindparam("on", required=False, type_=Date)
BATCH_IDS: ColumnElement[Sequence[int]] = bindparam("batch_ids", required=False, type_=ARRAY(BigInteger))
STORE: ColumnElement[str] = bindparam("store", required=False, type_=String)
CATEGORY_KEY: ColumnElement[str] = bindparam("category_key", required=False, type_=String)
EXCLUDED_BUCKETS: ColumnElement[Sequence[int]] = bindparam(
    "excluded_buckets", required=False, type_=ARRAY(Integer)
)
