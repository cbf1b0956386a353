"""The tally of an import: counts of rows and warnings, and the first of them."""

from collections.abc import AsyncIterator, Callable
from typing import Final

from flexiprice.catalog.imports.problems import BadRow, DataWarning

MAX_BAD_ROWS_KEPT: Final = 1000
MAX_WARNINGS_KEPT: Final = 1000


class ImportTally:
    """Counts rows and warnings, and keeps the first of the bad rows and warnings for the report.

    Attributes:
        staged: rows that are staged.
        bad: rows that were left out.
        bad_rows: the first of them, at most `MAX_BAD_ROWS_KEPT`.
        warning_count: the number of warnings.
        warnings: the first of them, at most `MAX_WARNINGS_KEPT`.
    """

    def __init__(
        self,
        on_bad_row: Callable[[BadRow], None] | None,
        on_warning: Callable[[DataWarning], None] | None,
    ) -> None:
        """Takes the receivers of all bad rows and warnings."""
        self._on_bad_row = on_bad_row
        self._on_warning = on_warning
        self.staged = 0
        self.bad = 0
        self.bad_rows: list[BadRow] = []
        self.warning_count = 0
        self.warnings: list[DataWarning] = []

    def reject(self, row: BadRow) -> None:
        """Counts a bad row."""
        self.bad += 1
        if len(self.bad_rows) < MAX_BAD_ROWS_KEPT:
            self.bad_rows.append(row)
        if self._on_bad_row is not None:
            self._on_bad_row(row)

    async def reject_all(self, staged: AsyncIterator[BadRow]) -> None:
        """Counts rows as bad that were counted as staged."""
        async for row in staged:
            self.staged -= 1
            self.reject(row)

    def warn(self, warning: DataWarning) -> None:
        """Counts a warning."""
        self.warning_count += 1
        if len(self.warnings) < MAX_WARNINGS_KEPT:
            self.warnings.append(warning)
        if self._on_warning is not None:
            self._on_warning(warning)
