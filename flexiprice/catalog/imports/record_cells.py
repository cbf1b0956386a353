"""Reads the cells of one record, and collects their problems."""

from collections.abc import Callable
from typing import TypeVar

from flexiprice.catalog.imports.fields import OPTIONAL, ColumnMap, ImportField
from flexiprice.catalog.imports.files.records import Record
from flexiprice.catalog.imports.notation.cells import LOST_LETTER, CellRefused, shown
from flexiprice.catalog.imports.notation.spoiled import SpoiledText, meant_by_date, meant_code, meant_text
from flexiprice.catalog.imports.notation.typed_cells import DateText
from flexiprice.catalog.imports.problems import CellProblem, DataWarning
from flexiprice.catalog.imports.spelling import Spelling

T = TypeVar("T")

_CODES = frozenset({ImportField.SKU, ImportField.LOT, ImportField.STORE, ImportField.GTIN})
_TEXTS = frozenset({ImportField.NAME, ImportField.CATEGORY})


class RecordCells:
    """Reads the cells of one record.

    Attributes:
        problems: of the cells that were read so far.
    """

    def __init__(
        self, record: Record, columns: ColumnMap, warn: Callable[[DataWarning], None], spelling: Spelling
    ) -> None:
        """Takes the record, the column of each field, and the receiver and notation of warnings."""
        self._record = record
        self._cells = record.cells
        self._columns = columns
        self._warn = warn
        self._spelling = spelling
        self.problems: list[CellProblem] = []

    def read(self, field: ImportField, reader: Callable[[str], T], *, empty: str | None = None) -> T | None:
        """Reads the cell of a field; an empty cell is a problem unless the field is optional.

        Args:
            field: the field.
            reader: reads the cell's text; raises CellRefused.
            empty: the text to read where the cell is empty.
        """
        column = self._columns.get(field)
        text = (self._cells.get(column) if column is not None else None) or ""
        if not text.strip():
            if column in self._record.unreadable:
                reason = f"is {self._record.unreadable[column]} where a text or a number is needed"
                self.problems.append(CellProblem(column, reason))
                return None
            if empty is None:
                if field not in OPTIONAL:
                    self.problems.append(CellProblem(column or field.value, "is empty, and it is required"))
                return None
            text = empty
        try:
            return reader(text if text.isalnum() else self._restore(field, column, text))
        except (CellRefused, SpoiledText) as refusal:
            reason = refusal.reason(self._spelling) if isinstance(refusal, CellRefused) else str(refusal)
            self.problems.append(CellProblem(column or field.value, reason))
            return None

    def has_text(self, field: ImportField) -> bool:
        """Whether the cell of a field has any text."""
        return bool((self._cells.get(self._columns.get(field, "")) or "").strip())

    def warn(self, field: ImportField, message: str) -> None:
        """Warns about the cell of a field."""
        column = self._columns.get(field)
        cell = shown((self._cells.get(column or "") or "").strip())
        self._warn(DataWarning(self._record.line, column, f"{cell} {message}"))

    def _restore(self, field: ImportField, column: str | None, text: str) -> str:
        """Restores text that a spreadsheet has altered, with a warning."""
        if field not in _CODES and field not in _TEXTS:
            return text
        cell = text.strip()
        try:
            if isinstance(text, DateText):
                restored = meant_by_date(text, is_lot=field is ImportField.LOT)
            else:
                restored = meant_code(cell) if field in _CODES else meant_text(cell)
        except SpoiledText as spoiled:
            raise SpoiledText(f"{shown(cell)} {spoiled}") from None
        if restored.warning is not None:
            self._warn(DataWarning(self._record.line, column, f"{shown(cell)} {restored.warning}"))
        elif field in _TEXTS and LOST_LETTER in cell:
            lost = f"{shown(cell)} has U+FFFD: a letter was lost before this file was written"
            self._warn(DataWarning(self._record.line, column, lost))
        return restored.text
