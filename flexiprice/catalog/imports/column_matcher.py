"""Which cells of each record hold what, over a whole file; what is not read is remembered and told."""

from collections.abc import Callable, Mapping
from typing import cast

from flexiprice.catalog.imports.columns import (
    ColumnMap,
    ColumnMatch,
    ImportField,
    find_lookalikes,
    map_option,
    match_columns,
    match_header,
    plain_name,
)
from flexiprice.catalog.imports.records import Record, RecordFile
from flexiprice.catalog.imports.rows import DataWarning
from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.errors import InvalidInput

MAX_UNUSED_KEPT = 1000
_SHAPES_REMEMBERED = 256


class ColumnMatcher:
    """Matches the header once, or each NDJSON object for itself.

    Attributes:
        seen: which column each field was read from first.
        unused: columns that nothing was read from, at most `MAX_UNUSED_KEPT`.
    """

    def __init__(
        self,
        file: RecordFile,
        mapping: ColumnMap,
        warn: Callable[[DataWarning], None],
        spelling: Spelling = Spelling.COMMAND,
    ) -> None:
        """Takes the columns that are given by field, and who is told of columns that may be meant.

        `spelling` is how options are written in what is told.

        Raises:
            InvalidInput: the header offers no column for a field that is required.
        """
        self._mapping = mapping
        self._warn = warn
        self._spelling = spelling
        self._unused: dict[str, None] = {}
        self._warned: set[ImportField] = set()
        self._shapes: dict[tuple[str, ...], ColumnMatch] = {}
        self.seen: dict[ImportField, str] = {}
        self._header = self._match_first(file.header) if file.header is not None else None
        if self._header is not None:
            self._take_note(self._header)

    @property
    def unused(self) -> tuple[str, ...]:
        """Columns that nothing was read from."""
        return tuple(self._unused)

    def columns_of(self, record: Record) -> ColumnMap:
        """Which cell of a record holds each field."""
        if self._header is not None:
            return self._header.columns
        if record.fault is not None:
            return {}
        names = record.names
        match = self._shapes.get(names)
        if match is None:
            # The first object shows whether the file is one of ours at all; a later one that lacks
            # something is only a bad row.
            match = match_columns(names, self._mapping) if self.seen else self._match_first(names)
            if len(self._shapes) < _SHAPES_REMEMBERED:
                self._shapes[names] = match
                self._take_note(match)
            self._keep_unused(match)
        return match.columns

    def _match_first(self, names: tuple[str, ...]) -> ColumnMatch:
        try:
            return match_header(names, self._mapping)
        except InvalidInput as error:
            suggestions = cast("Mapping[str, str]", error.details.get("suggestions") or {})
            if not suggestions:
                raise
            options = [map_option(ImportField(field), column) for field, column in suggestions.items()]
            told = f"{error.message}\nTry: {self._spelling.write_all(*options)}"
            raise InvalidInput(told, **error.details) from None

    def _take_note(self, match: ColumnMatch) -> None:
        self.seen = {**match.columns, **self.seen}
        self._keep_unused(match)
        for field, columns in find_lookalikes(match, self._mapping).items():
            if field not in self._warned:
                self._warned.add(field)
                options = " or ".join(
                    self._spelling.write(map_option(field, plain_name(column))) for column in columns[:3]
                )
                message = f"may be {field.value}, which nothing is read for: {options} reads it"
                self._warn(DataWarning(None, plain_name(columns[0]), message))

    def _keep_unused(self, match: ColumnMatch) -> None:
        for name in match.unused:
            if len(self._unused) < MAX_UNUSED_KEPT:
                self._unused.setdefault(name)
