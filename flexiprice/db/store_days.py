"""Every store's own date at one instant."""

from datetime import datetime

from sqlalchemy import CTE, Date, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import TIMESTAMP

from flexiprice.db.tables import Store


def store_days(now: datetime) -> CTE:
    """Stores with `store_id`, `code` and `day`, the date that `now` falls on in the store's time zone.

    Materialized: a date costs a look into the time zone's tables, which is done once a store rather
    than once a batch.
    """
    local = func.timezone(Store.time_zone, bindparam(None, now, TIMESTAMP(timezone=True)))
    return (
        select(Store.id.label("store_id"), Store.code, cast(local, Date).label("day"))
        .cte("store_days")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
