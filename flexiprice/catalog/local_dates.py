"""The local date of every store at an instant, as a subquery."""

from datetime import date, datetime

from sqlalchemy import ColumnElement, Date, Subquery, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import TIMESTAMP

from flexiprice.db.statements import optimization_barrier
from flexiprice.db.tables import Store


def local_dates(now: datetime | ColumnElement[datetime]) -> Subquery:
    """Returns `store_id`, `code` and `day` of each store; `day` is the date of `now` in its time zone."""
    instant = bindparam(None, now, TIMESTAMP(timezone=True)) if isinstance(now, datetime) else now
    return local_dates_at(instant)


def local_dates_at(now: ColumnElement[datetime]) -> Subquery:
    """Like `local_dates`, at an instant that is a parameter of the statement.

    An optimisation barrier keeps the conversion of time zones at once a store, not once a batch. A
    materialised CTE would do the same, but prevents parallel plans.
    """
    return _stores(cast(func.timezone(Store.time_zone, now), Date))


def fixed_date(day: ColumnElement[date]) -> Subquery:
    """Like `local_dates`, with the same date in all stores and time zones."""
    return _stores(day)


def _stores(day: ColumnElement[date]) -> Subquery:
    return optimization_barrier(select(Store.id.label("store_id"), Store.code, day.label("day")))
