"""Matches a file's columns to fields. Only unambiguous names match by themselves; others are suggested."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from flexiprice.catalog.imports.fields import (
    DESCRIBING,
    FIELDS_OF,
    OPTIONAL,
    OTHER_NAMES,
    REQUIRED,
    SAME_MEANING,
    ColumnMap,
    FileKind,
    ImportField,
)
from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.catalog.imports.spelling import Option
from flexiprice.errors import InvalidInput

_LIKENESS = 0.8
# The boundaries of words in a name: `basePrice`, `SKUCode`, `Lot-No.`
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD = re.compile(r"[\s\ufeff\u200b_.:#/()\[\]-]+")


@dataclass(frozen=True, slots=True)
class ColumnMatch:
    """The matched columns, and the others.

    Attributes:
        columns: column by field.
        unused: the columns without a field.
    """

    columns: ColumnMap
    unused: tuple[str, ...]


def match_columns(names: Sequence[str], mapping: ColumnMap, kind: FileKind = FileKind.STOCK) -> ColumnMatch:
    """Matches the columns of a record to fields; fields without a column are left out.

    A field that is not in the mapping matches the column of the same name, whatever joins its words:
    `basePrice` and `Base Price` are `base_price`. An optional field also matches a synonym, such as
    `Store code`, if exactly one is present.
    """
    present = set(names)
    by_name = _by_normal_name(names)
    wanted = {
        field: mapping[field] if field in mapping else _column_of(field, by_name)
        for field in ImportField
        if field in FIELDS_OF[kind]
    }
    if ImportField.GTIN not in mapping and wanted.get(ImportField.GTIN) in mapping.values():
        # An EAN that is mapped to the SKU need not be one: its check digit is not verified.
        del wanted[ImportField.GTIN]
    columns = {field: column for field, column in wanted.items() if column and column in present}
    matched = set(columns.values())
    unused = tuple(dict.fromkeys(name for name in names if name and name not in matched))
    return ColumnMatch(columns, unused)


def names_columns(names: Sequence[str], mapping: ColumnMap) -> bool:
    """Whether a row is likely a header: it names the SKU's column and another one.

    A name counts that the mapping gives, or that is the field's own or one of other systems'.
    """
    known = {
        field: {field.value, *SAME_MEANING.get(field, ()), *OTHER_NAMES.get(field, ())}
        for field in ImportField
        if field not in mapping
    }
    found = {
        name: {field for field, others in known.items() if _normal(name) in others}
        | {field for field, column in mapping.items() if column == name}
        for name in names
        if name
    }
    named = [fields for fields in found.values() if fields]
    return len(named) > 1 and any(ImportField.SKU in fields for fields in named)


def find_lookalikes(
    match: ColumnMatch, mapping: ColumnMap, kind: FileKind = FileKind.STOCK
) -> dict[ImportField, tuple[str, ...]]:
    """Returns unused columns that look like a missing field, by field, if the field is dispensable."""
    free = _by_normal_name(match.unused)
    dispensable = OPTIONAL.union(DESCRIBING) if has_stock_only(match.columns) else OPTIONAL
    looked_for = dispensable & FIELDS_OF[kind] - match.columns.keys() - mapping.keys()
    missing = [field for field in ImportField if field in looked_for]
    return {field: found for field in missing if (found := _like(field, free))}


def has_stock_only(columns: ColumnMap) -> bool:
    """Whether the columns identify the product but do not describe it."""
    return columns.keys().isdisjoint(DESCRIBING)


def match_header(
    names: Sequence[str],
    mapping: ColumnMap,
    kind: FileKind = FileKind.STOCK,
    dispensable: Collection[ImportField] = (),
) -> ColumnMatch:
    """Matches a header, which must have every required column of the file's kind.

    A dispensable one may be missing, unless another column looks like it.

    All columns that describe products may be missing together, if no other column looks like one of them.

    Raises:
        InvalidInput: a mapped or a required column is missing or repeated. The details have
            `suggestions`, columns of the file by field.
    """
    for field, column in mapping.items():
        if column and column not in names:
            raise _no_such_column(field, column, names)
    fields = [field for field in ImportField if field in FIELDS_OF[kind]]
    for field in fields:
        same = [] if field in mapping else _by_normal_name(names).get(field.value, [])
        if len(same) > 1:
            raise _same_columns(field, same)
    match = match_columns(names, mapping, kind)
    unused = _by_normal_name(match.unused)
    may_lack = {field for field in dispensable if not _like(field, unused)}
    missing = [field for field in fields if field in REQUIRED and field not in {*match.columns, *may_lack}]
    stock_only = (
        kind is FileKind.STOCK
        and has_stock_only(match.columns)
        and find_lookalikes(match, mapping).keys().isdisjoint(DESCRIBING)
    )
    if stock_only:
        missing = [field for field in missing if field not in DESCRIBING]
    if missing:
        # A file may have no other code of a product than its GTIN.
        free = (*match.unused, match.columns.get(ImportField.GTIN, ""))
        raise _missing_columns(missing, free, names, kind)
    for field, column in match.columns.items():
        if names.count(column) > 1:
            raise InvalidInput(f"the file has two columns {shown(column)} for {field}", field="map")
    return match


def suggest(fields: Iterable[ImportField], names: Sequence[str]) -> dict[ImportField, str]:
    """Suggests the most similar column for each field, if any is close; no column is suggested twice."""
    free = _by_normal_name(names)
    suggestions: dict[ImportField, str] = {}
    for field in fields:
        if found := _like(field, free):
            suggestions[field] = found[0]
            free = {name: columns for name, columns in free.items() if found[0] not in columns}
    return suggestions


def map_option(field: ImportField, column: str) -> Option:
    """Returns the option that maps a field to a column."""
    return Option("map", f"{field.value}={column}")


def _column_of(field: ImportField, by_name: Mapping[str, list[str]]) -> str:
    if same := by_name.get(field.value):
        return same[0]
    others = [column for name in SAME_MEANING.get(field, ()) for column in by_name.get(name, ())]
    return others[0] if len(others) == 1 else ""


def _like(field: ImportField, free: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Returns the columns that may hold a field, the likeliest first."""
    known = (field.value, *SAME_MEANING.get(field, ()), *OTHER_NAMES[field])
    equal = [name for name in known if name in free]
    near = [name for each in known for name in get_close_matches(each, free, 3, _LIKENESS)]
    return tuple(dict.fromkeys(column for name in (*equal, *near) for column in free[name]))


def _same_columns(field: ImportField, same: Sequence[str]) -> InvalidInput:
    if len(set(same)) == 1:
        return InvalidInput(f"the file has two columns {shown(same[0])} for {field}", field="map")
    names = " and ".join(shown(name) for name in same[:2])
    return InvalidInput(
        f"the file has the columns {names}, and either may be {field}: map one of them",
        field="map",
        suggestions={field.value: same[0]},
    )


def _no_such_column(field: ImportField, column: str, names: Sequence[str]) -> InvalidInput:
    near = get_close_matches(column, names, n=1)
    hint = f"did you mean {shown(near[0])}?" if near else f"it has {_listed(names)}"
    return InvalidInput(
        f"the file has no column {shown(column)} for {field}; {hint}",
        field="map",
        suggestions={field.value: near[0]} if near else {},
    )


def _missing_columns(
    missing: Sequence[ImportField], unused: Sequence[str], names: Sequence[str], kind: FileKind
) -> InvalidInput:
    near = suggest(missing, unused)
    needs_none = kind is FileKind.STOCK and set(missing) <= set(DESCRIBING)
    of_stock = "; a file of stock levels only needs none of them" if needs_none else ""
    return InvalidInput(
        f"the file has no column for {', '.join(missing)}; it has {_listed(names)}{of_stock}",
        field="map",
        suggestions={field.value: column for field, column in near.items()},
    )


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(plain_name(name) for name in names[:40] if name)
    return f"{few}, …" if len(names) > 40 else few


def plain_name(name: str) -> str:
    """Returns a column's name for display: truncated, and without control characters."""
    return shown(name)[1:-1]


def _by_normal_name(names: Iterable[str]) -> dict[str, list[str]]:
    by_name: dict[str, list[str]] = {}
    for name in names:
        by_name.setdefault(_normal(name), []).append(name)
    return by_name


def _normal(name: str) -> str:
    return _NO_WORD.sub("_", _WORD_STARTS.sub("_", name).casefold()).strip("_")
