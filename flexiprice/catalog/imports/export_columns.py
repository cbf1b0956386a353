"""Completes the mapping that a user gave by the columns of a known export."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from flexiprice.catalog.imports.columns import match_columns
from flexiprice.catalog.imports.fields import DESCRIBING, ColumnMap, ImportField
from flexiprice.catalog.imports.files.records import Record
from flexiprice.catalog.imports.known_exports import KNOWN_EXPORTS, ExportName, KnownExport
from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.errors import InvalidInput

_ALL_OR_NONE = {ImportField.NAME, ImportField.CATEGORY, ImportField.BASE_PRICE}
_IDENTIFYING = (ImportField.SKU, ImportField.QUANTITY, ImportField.EXPIRY_DATE)
_NOT_DESCRIBED = dict.fromkeys(DESCRIBING, "")


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """The given mapping, and the known export that completes it if there is one.

    Attributes:
        given: the columns that the user gave, by field.
        export: the known export.
        dispensable: required fields that the file may lack.
    """

    given: ColumnMap
    export: KnownExport | None = None
    dispensable: frozenset[ImportField] = frozenset()

    def mapping_of(self, names: Sequence[str]) -> ColumnMap:
        """Returns the mapping for a file with these columns.

        An export that lacks the name, category or price of products is read as stock levels alone: what it
        has of them is mapped to no column.
        """
        mapping = self._completed(names)
        return mapping | _NOT_DESCRIBED if self._lacks(names, mapping) else mapping

    def left_out(self, names: Sequence[str]) -> tuple[ImportField, ...]:
        """Returns the fields that describe products and are not read, because the export lacks others."""
        mapping = self._completed(names)
        if not self._lacks(names, mapping):
            return ()
        columns = match_columns(names, mapping).columns
        return tuple(field for field in DESCRIBING if field in columns)

    def check(self, names: Sequence[str]) -> None:
        """Checks that no field has several columns, such as the stock of several locations.

        Raises:
            InvalidInput: one has; the message lists them.
        """
        if self.export is None:
            return
        for field in self.export.columns:
            several = [] if field in self.given else columns_like(self.export, field, names)
            if len(several) > 1:
                listed = ", ".join(map(shown, several[:10]))
                raise InvalidInput(
                    f"the file has several columns for {field}: {listed}; import it once for each, with its "
                    "store",
                    field="map",
                    suggestions={field.value: several[0]},
                )

    def read_instead(self, record: Record, columns: ColumnMap) -> ColumnMap:
        """Returns the columns of a record, with another one where the cell of a field is empty."""
        if self.export is None:
            return columns
        for field, others in self.export.instead.items():
            if field in self.given or (record.cells.get(columns.get(field, "")) or "").strip():
                continue
            for name, cell in record.cells.items():
                if cell and cell.strip() and _plain(name) in map(_plain, others):
                    columns = {**columns, field: name}
                    break
        return columns

    def carry_down(self, records: Iterable[Record]) -> Iterator[Record]:
        """Fills the empty cells that only the first row of a group fills."""
        if self.export is None or not self.export.group:
            yield from records
            return
        groups, carried = (set(map(_plain, names)) for names in (self.export.group, self.export.carried))
        last: Mapping[str, str | None] = {}
        last_group: str | None = None
        for record in records:
            group = next(
                (cell for name, cell in record.cells.items() if cell and _plain(name) in groups), None
            )
            cells = record.cells
            if group is not None and group == last_group:
                cells = {
                    name: last.get(name) if not (cell or "").strip() and _plain(name) in carried else cell
                    for name, cell in cells.items()
                }
            last, last_group = cells, group
            yield record if cells is record.cells else replace(record, cells=cells)

    @property
    def instead(self) -> frozenset[str]:
        """The columns that are read where another one's cell is empty, in lower case."""
        found = self.export.instead.items() if self.export is not None else ()
        return frozenset(_plain(name) for field, names in found for name in names if field not in self.given)

    @property
    def paths(self) -> frozenset[str]:
        """Names with points, of fields of nested JSON objects."""
        names = set(self.given.values())
        if self.export is not None:
            names.update(name for columns in self.export.columns.values() for name in columns)
        return frozenset(name for name in names if "." in name and "*" not in name)

    def _lacks(self, names: Sequence[str], mapping: ColumnMap) -> bool:
        """Whether it is an export that does not describe products, and the user has not said otherwise."""
        if self.export is None or not self.given.keys().isdisjoint(DESCRIBING):
            return False
        return not match_columns(names, mapping).columns.keys() >= _ALL_OR_NONE - self.dispensable

    def _completed(self, names: Sequence[str]) -> dict[ImportField, str]:
        if self.export is None:
            return dict(self.given)
        found = {field: columns_like(self.export, field, names) for field in self.export.columns}
        return {**{field: columns[0] for field, columns in found.items() if columns}, **self.given}


def likely_export(names: Sequence[str]) -> ExportName | None:
    """Returns the only known export that has columns of these names for SKU, quantity and expiry date."""
    fitting = [
        name
        for name, export in KNOWN_EXPORTS.items()
        if all(columns_like(export, field, names) for field in _IDENTIFYING)
    ]
    return fitting[0] if len(fitting) == 1 else None


def columns_like(export: KnownExport, field: ImportField, names: Sequence[str]) -> list[str]:
    """Returns the columns that an export has for a field: one, or all that match the same pattern."""
    plain = {name: _plain(name) for name in names if name}
    for pattern in export.columns.get(field, ()):
        wanted = _plain(pattern)
        found = [name for name, each in plain.items() if each == wanted or fnmatchcase(each, wanted)]
        if found:
            return found
    return []


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
