"""Matches columns to fields over a whole file, and collects the unused columns."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

from flexiprice.catalog.imports.columns import (
    ColumnMatch,
    find_lookalikes,
    map_option,
    match_columns,
    match_header,
    plain_name,
)
from flexiprice.catalog.imports.export_columns import ColumnSource, likely_export
from flexiprice.catalog.imports.fields import ColumnMap, FileKind, ImportField
from flexiprice.catalog.imports.files.records import Record, RecordFile
from flexiprice.catalog.imports.problems import DataWarning
from flexiprice.catalog.imports.spelling import Option, Spelling
from flexiprice.errors import InvalidInput

MAX_UNUSED_KEPT = 1000
_SHAPES_REMEMBERED = 256


class ColumnMatcher:
    """Matches a header once, or each JSON object by its names.

    Attributes:
        seen: the first column that each field was read from.
        unused: columns that were not read, at most `MAX_UNUSED_KEPT`.
    """

    def __init__(
        self,
        file: RecordFile,
        source: ColumnSource,
        warn: Callable[[DataWarning], None],
        spelling: Spelling = Spelling.COMMAND,
        kind: FileKind = FileKind.STOCK,
        dispensable: Collection[ImportField] = (),
    ) -> None:
        """Matches the header, if the file has one.

        Args:
            file: the file.
            source: the columns that the user gave, and those of a known export.
            warn: receives warnings about unused columns that look like a missing field.
            spelling: the notation of options in warnings and errors.
            kind: of the file's rows.
            dispensable: required fields that the file may lack.

        Raises:
            InvalidInput: the header has no column for a required field.
        """
        self._source = source
        self._warn = warn
        self._spelling = spelling
        self._kind = kind
        self._dispensable = dispensable
        self._unused: dict[str, None] = {}
        self._warned: set[ImportField] = set()
        self._shapes: dict[tuple[str, ...], ColumnMatch] = {}
        self.seen: dict[ImportField, str] = {}
        self._header: ColumnMatch | None = None
        if file.header is not None:
            self._header = self._match_first(file.header)
            self._record_match(self._header, file.header)

    @property
    def unused(self) -> tuple[str, ...]:
        """Columns that were not read."""
        return tuple(self._unused)

    def columns_of(self, record: Record) -> ColumnMap:
        """Returns the column of each field in a record."""
        return self._source.read_instead(record, self._matched(record))

    def _matched(self, record: Record) -> ColumnMap:
        if self._header is not None:
            return self._header.columns
        if record.fault is not None:
            return {}
        names = record.names
        match = self._shapes.get(names)
        if match is None:
            # The first object decides whether the file is usable; a later one without a field is a bad row.
            is_first = not self.seen
            match = (
                self._match_first(names)
                if is_first
                else match_columns(names, self._source.mapping_of(names), self._kind)
            )
            if len(self._shapes) < _SHAPES_REMEMBERED:
                self._shapes[names] = match
                self._record_match(match, names)
            self._keep_unused(match)
        return match.columns

    def _match_first(self, names: tuple[str, ...]) -> ColumnMatch:
        try:
            self._source.check(names)
            mapping = self._source.mapping_of(names)
            match = match_header(names, mapping, self._kind, self._dispensable)
        except InvalidInput as error:
            suggestions = cast("Mapping[str, str]", error.details.get("suggestions") or {})
            if not suggestions:
                raise
            options = [map_option(ImportField(field), column) for field, column in suggestions.items()]
            message = f"{error.message}\nTry: {self._spelling.write_all(*options)}"
            may_be_export = self._source.export is None and self._kind is FileKind.STOCK
            if may_be_export and (export := likely_export(names)) is not None:
                message += f"\nOr: {self._spelling.write(Option('format', export))}"
            raise InvalidInput(message, **error.details) from None
        if left_out := self._source.left_out(names):
            self._warn(_stock_alone(left_out))
        return match

    def _record_match(self, match: ColumnMatch, names: Sequence[str]) -> None:
        self.seen = {**match.columns, **self.seen}
        self._keep_unused(match)
        for field, columns in find_lookalikes(match, self._source.mapping_of(names), self._kind).items():
            if field not in self._warned:
                self._warned.add(field)
                options = " or ".join(
                    self._spelling.write(map_option(field, plain_name(column))) for column in columns[:3]
                )
                message = f"may hold {field.value}, which has no column: {options} reads it"
                self._warn(DataWarning(None, plain_name(columns[0]), message))

    def _keep_unused(self, match: ColumnMatch) -> None:
        instead = self._source.instead
        for name in match.unused:
            if name.casefold() in instead:
                continue
            if len(self._unused) < MAX_UNUSED_KEPT:
                self._unused.setdefault(name)


def _stock_alone(left_out: Sequence[ImportField]) -> DataWarning:
    listed = " and ".join(field.value for field in left_out)
    message = (
        f"{listed} is not read: name, category and base_price belong together, so the file is read as stock "
        "levels alone, and its products must exist"
    )
    return DataWarning(None, None, message)
