"""When a crontab line comes due, by the rules of cron(8), nights of clock change included."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim


def next_tick(crontab: str, time_zone: str, after: datetime) -> datetime:
    """The first instant after `after` at which a crontab line comes due.

    A fixed time that falls into the hour skipped in spring comes due at the first instant after the gap,
    and one in the hour repeated in autumn once; lines with a wildcard hour follow the real hours.

    Args:
        crontab: a line of five fields, known to be valid.
        time_zone: IANA name of the zone whose clock the line means.
        after: an aware instant.

    Returns:
        An instant in UTC, to the second.
    """
    ticks = CronSim(crontab, after.astimezone(ZoneInfo(time_zone)))
    # Around a clock change, two local times can be one instant, and a later local time an earlier one.
    return next(tick for tick in (local.astimezone(UTC) for local in ticks) if tick > after)
