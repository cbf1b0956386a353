"""The errors of workbooks that cannot be read."""

from collections.abc import Sequence
from dataclasses import dataclass

from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.catalog.imports.spelling import Option, Spelling
from flexiprice.errors import FlexiPriceError, InvalidInput, MissingExtra

_MESSAGES = {
    "empty": "the file is empty: no visible sheet has any content",
    "password": "the workbook is protected by a password: save it without one",
}


@dataclass(frozen=True, slots=True)
class WorkbookProblems:
    """Makes errors of what `workbook_program` says: the wanted sheet, its limit, the notation of options."""

    sheet: str | None
    memory_bytes: int
    spelling: Spelling

    def error_of(self, problem: str, names: Sequence[str] = ()) -> FlexiPriceError:
        """Returns the error of a problem; `names` are sheets, or the library's reason."""
        if problem in _MESSAGES:
            return InvalidInput(_MESSAGES[problem])
        if problem in {"several sheets", "no such sheet"}:
            return InvalidInput(self._unclear_sheet(names), field="sheet")
        if problem == "memory":
            return InvalidInput(
                f"reading the workbook needs more than {self.memory_bytes:,} bytes of memory or 10 minutes: "
                "export the sheet as CSV, or set FLEXIPRICE_WORKBOOK_MEMORY_BYTES"
            )
        if problem == "library":
            return MissingExtra("workbooks are read by python-calamine, which is not installed")
        reason = "; ".join(map(shown, names))
        return InvalidInput(
            f"the file is no workbook that can be read ({reason}): export the sheet as CSV, and unpack a zip "
            "archive first"
        )

    def _unclear_sheet(self, names: Sequence[str]) -> str:
        listed = ", ".join(map(shown, names))
        if self.sheet is not None:
            return f"the workbook has no sheet {shown(self.sheet)}; it has {listed}"
        option = self.spelling.write(Option("sheet", names[0]))
        return f"the workbook has several sheets, {listed}: {option} reads the first of them"
