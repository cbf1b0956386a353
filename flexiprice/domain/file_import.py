"""The status of an imported file."""

from enum import StrEnum


class FileImportStatus(StrEnum):
    """The outcome of importing a file.

    `imported`: every row. `partly`: the good rows, some were bad. `failed`: nothing.
    """

    IMPORTED = "imported"
    PARTLY = "partly"
    FAILED = "failed"
