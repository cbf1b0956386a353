"""Settings of the schedules."""

from pydantic import Field

from flexiprice.settings.group import SettingsGroup
from flexiprice.settings.values import Crontab, TimeZoneName


class ScheduleSettings(SettingsGroup):
    """Times at which the scheduled tasks run."""

    recompute_schedule: Crontab = Field(default="0 * * * *", description="when discounts are recomputed")
    cleanup_schedule: Crontab = Field(default="0 2 * * *", description="when expired discounts are closed")
    price_history_schedule: Crontab = Field(
        default="0 */6 * * *", description="when price snapshots are recorded"
    )
    import_schedule: Crontab = Field(
        default="* * * * *",
        description="when dropped files are imported, if `FLEXIPRICE_IMPORT_DIRECTORY` is set",
    )
    timezone: TimeZoneName = Field(default="UTC", description="time zone in which the schedules are read")
