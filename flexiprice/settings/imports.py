"""Settings of imported files."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from flexiprice.settings.group import SettingsGroup
from flexiprice.settings.values import Duration


class ImportSettings(SettingsGroup):
    """The directory that is watched for files, and the limits of what is unpacked."""

    import_directory: Path | None = Field(
        default=None,
        description="directory in which other systems drop files to import; unset for none. Workers of the "
        "queue `maintenance` need it, with the right to write",
    )
    import_settle: Duration = Field(
        default=timedelta(seconds=10),
        ge=timedelta(0),
        le=timedelta(hours=1),
        description="time without a change after which a dropped file is complete",
    )
    max_unpacked_bytes: int = Field(
        default=1_073_741_824,
        ge=1024,
        le=1_099_511_627_776,
        description="maximum size of a gzip file that is imported or uploaded, unpacked",
    )
    workbook_memory_bytes: int = Field(
        default=2_147_483_648,
        ge=134_217_728,
        le=1_099_511_627_776,
        description="maximum address space for reading a workbook that is imported or uploaded; a million "
        "rows of nine columns need 1.25 GiB",
    )
