"""Every store's own date at one instant."""

from datetime import date, datetime

from sqlalchemy import Date, Subquery, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import TIMESTAMP

from flexiprice.db.policy_sql import fenced
from flexiprice.db.tables import Store


def store_days(now: datetime, *, on: date | None = None) -> Subquery:
    """Stores with `store_id`, `code` and `day`, the date that `now` falls on in the store's time zone.

    Fenced: a date costs a look into the time zone's tables, which is done once a store
    rather than once a batch. A materialized CTE would do so too, but keeps out parallel workers.

    Args:
        now: the instant.
        on: the date that every store has instead, where given.
    """
    local = func.timezone(Store.time_zone, bindparam(None, now, TIMESTAMP(timezone=True)))
    day = cast(local, Date) if on is None else bindparam(None, on, Date)
    return fenced(select(Store.id.label("store_id"), Store.code, day.label("day")))
