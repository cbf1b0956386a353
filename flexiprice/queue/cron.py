"""Computes ticks of crontab lines by the rules of cron(8), including changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim


def next_tick(crontab: str, time_zone: str, after: datetime) -> datetime:
    """Returns the first tick of a crontab line after an instant.

    A fixed time in the hour skipped in spring ticks at the first instant after the gap. One in the hour
    repeated in autumn ticks once. Lines with a wildcard hour follow the real hours.

    Args:
        crontab: a valid line of five fields.
        time_zone: IANA name of the zone in which the line is read.
        after: an aware instant.

    Returns:
        An instant in UTC, to the second.
    """
    ticks = CronSim(crontab, after.astimezone(ZoneInfo(time_zone)))
    # Around a clock change, two local times can be one instant, and a later local time can be earlier.
    return next(tick for tick in (local.astimezone(UTC) for local in ticks) if tick > after)


def latest_tick(crontab: str, time_zone: str, *, after: datetime, until: datetime) -> datetime | None:
    """Returns the last tick of a crontab line after `after` and not after `until`.

    Args:
        crontab: a valid line of five fields.
        time_zone: IANA name of the zone in which the line is read.
        after: an aware instant. The time needed grows with the number of ticks in between.
        until: an aware instant.

    Returns:
        An instant in UTC, to the second; None without a tick.
    """
    latest: datetime | None = None
    for local in CronSim(crontab, after.astimezone(ZoneInfo(time_zone))):
        tick = local.astimezone(UTC)
        # Local time jumps back by an hour at most, so later ticks cannot be before `until`.
        if tick > until + timedelta(hours=2):
            break
        if after < tick <= until and (latest is None or tick > latest):
            latest = tick
    return latest
