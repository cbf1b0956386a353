"""Every store's own date at one instant."""

from datetime import date, datetime

from sqlalchemy import ColumnElement, Date, Subquery, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import TIMESTAMP

from flexiprice.db.statements import optimization_barrier
from flexiprice.db.tables import Store


def local_dates(now: datetime | ColumnElement[datetime]) -> Subquery:
    """Stores with `store_id`, `code` and `day`, the date that `now` falls on in the store's time zone."""
    told = bindparam(None, now, TIMESTAMP(timezone=True)) if isinstance(now, datetime) else now
    return local_dates_at(told)


def local_dates_at(now: ColumnElement[datetime]) -> Subquery:
    """`local_dates` at an instant that is told when the statement is executed.

    Fenced: a date costs a look into the time zone's tables, which is done once a store rather than once
    a batch. A materialized CTE would do so too, but keeps out parallel workers.
    """
    return _stores(cast(func.timezone(Store.time_zone, now), Date))


def fixed_date(day: ColumnElement[date]) -> Subquery:
    """`local_dates` on one date in all stores, whatever their time zones."""
    return _stores(day)


def _stores(day: ColumnElement[date]) -> Subquery:
    return optimization_barrier(select(Store.id.label("store_id"), Store.code, day.label("day")))
