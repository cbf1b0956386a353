"""When a crontab line comes due, by the rules of cron(8), nights of clock change included."""

from datetime import UTC, datetime, timedelta
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


def latest_tick(crontab: str, time_zone: str, *, after: datetime, until: datetime) -> datetime | None:
    """The last instant after `after`, and not after `until`, at which a crontab line comes due.

    Args:
        crontab: a line of five fields, known to be valid.
        time_zone: IANA name of the zone whose clock the line means.
        after: an aware instant; the more ticks lie between the two, the longer this takes.
        until: an aware instant.

    Returns:
        An instant in UTC, to the second, or None where there is none.
    """
    latest: datetime | None = None
    for local in CronSim(crontab, after.astimezone(ZoneInfo(time_zone))):
        tick = local.astimezone(UTC)
        # Local time may jump back by an hour or, in a few places, less; no tick is further away than that.
        if tick > until + timedelta(hours=2):
            break
        if after < tick <= until and (latest is None or tick > latest):
            latest = tick
    return latest
