"""Which column of a file holds what. Only equal names match by themselves; the rest is suggested."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from flexiprice.errors import InvalidInput
from flexiprice.services.imports.cells import shown


class ImportField(StrEnum):
    """What an import reads of each record."""

    SKU = "sku"
    NAME = "name"
    CATEGORY = "category"
    BASE_PRICE = "base_price"
    UNIT_COST = "unit_cost"
    STORE = "store"
    LOT = "lot"
    QUANTITY = "quantity"
    EXPIRY_DATE = "expiry_date"


OPTIONAL = frozenset({ImportField.UNIT_COST, ImportField.STORE, ImportField.LOT})
REQUIRED = tuple(field for field in ImportField if field not in OPTIONAL)

# How other systems call these columns. Only ever suggested: a guess that is wrong would misprice.
_OTHER_NAMES: Mapping[ImportField, tuple[str, ...]] = {
    ImportField.SKU: ("product_id", "product_code", "item_code", "article_number", "ean", "gtin", "barcode"),
    ImportField.NAME: ("product_name", "item_name", "product", "description", "title"),
    ImportField.CATEGORY: ("product_category", "department", "group"),
    ImportField.BASE_PRICE: ("unit_price", "price", "retail_price", "list_price", "selling_price"),
    ImportField.UNIT_COST: ("cost", "purchase_price", "cost_price", "wholesale_price"),
    ImportField.STORE: ("store_code", "shop", "branch", "site"),
    ImportField.LOT: ("lot_code", "lot_number", "batch", "batch_number", "batch_id"),
    ImportField.QUANTITY: ("stock_quantity", "stock", "qty", "on_hand", "units"),
    ImportField.EXPIRY_DATE: (
        "expiration_date",
        "expires",
        "best_before",
        "use_by",
        "sell_by_date",
        "expiry",
    ),
}

ColumnMap = Mapping[ImportField, str]


@dataclass(frozen=True, slots=True)
class ColumnMatch:
    """Which column each field is read from, and which columns nobody asked for."""

    columns: ColumnMap
    unused: tuple[str, ...]


def parse_column_map(pairs: Iterable[str]) -> dict[ImportField, str]:
    """Reads pairs such as `sku=Product_ID`, ours on the left; `lot=` says that no column holds it.

    Raises:
        InvalidInput: a pair is malformed, names no field of ours, or names one twice.
    """
    columns: dict[ImportField, str] = {}
    for pair in pairs:
        name, separator, column = (part.strip() for part in pair.partition("="))
        if not separator:
            raise InvalidInput(f"{shown(pair)} must look like sku=Product_ID", field="map")
        if name not in set(ImportField):
            raise InvalidInput(_unknown_field(name, column), field="map")
        field = ImportField(name)
        if field in columns:
            raise InvalidInput(f"{field} is mapped twice", field="map")
        if not column and field not in OPTIONAL:
            raise InvalidInput(f"{field} is required, so a column must hold it", field="map")
        columns[field] = column
    return columns


def match_columns(names: Sequence[str], mapping: ColumnMap) -> ColumnMatch:
    """Matches what a record offers with what is asked for, missing columns left out.

    A field that the mapping does not mention is read from the column of the same name, whatever its
    case and whether its words are joined by spaces, dashes or underscores.
    """
    same_names = {_normal(name): name for name in reversed(names)}
    wanted = {field: mapping.get(field, same_names.get(field.value, "")) for field in ImportField}
    present = set(names)
    columns = {field: column for field, column in wanted.items() if column and column in present}
    taken = set(columns.values())
    return ColumnMatch(columns, tuple(name for name in names if name and name not in taken))


def match_header(names: Sequence[str], mapping: ColumnMap) -> ColumnMatch:
    """Matches a header, which must offer every column that is needed.

    Raises:
        InvalidInput: a mapped or a required column is missing, or stands there twice. The details
            have `suggestions`, columns of the file by field.
    """
    for field, column in mapping.items():
        if column and column not in names:
            raise _no_such_column(field, column, names)
    match = match_columns(names, mapping)
    missing = [field for field in REQUIRED if field not in match.columns]
    if missing:
        raise _missing_columns(missing, match.unused, names)
    for field, column in match.columns.items():
        if names.count(column) > 1:
            raise InvalidInput(f"the file has two columns {shown(column)} for {field}", field="map")
    return match


def suggest(fields: Iterable[ImportField], names: Sequence[str]) -> dict[ImportField, str]:
    """The column that most likely holds each field, where one comes close; none is suggested twice."""
    free = {_normal(name): name for name in reversed(names)}
    suggestions: dict[ImportField, str] = {}
    for field in fields:
        near = [
            match
            for known in (field.value, *_OTHER_NAMES[field])
            for match in get_close_matches(known, free, 1, 0.8)
        ]
        if near:
            suggestions[field] = free.pop(near[0])
    return suggestions


def _no_such_column(field: ImportField, column: str, names: Sequence[str]) -> InvalidInput:
    near = get_close_matches(column, names, n=1)
    hint = f"did you mean {shown(near[0])}?" if near else f"it has {_listed(names)}"
    return InvalidInput(
        f"the file has no column {shown(column)} for {field}; {hint}",
        field="map",
        suggestions={field.value: near[0]} if near else {},
    )


def _missing_columns(
    missing: Sequence[ImportField], unused: Sequence[str], names: Sequence[str]
) -> InvalidInput:
    near = suggest(missing, unused)
    return InvalidInput(
        f"the file has no column for {', '.join(missing)}; it has {_listed(names)}",
        field="map",
        suggestions={field.value: column for field, column in near.items()},
    )


def _unknown_field(name: str, column: str) -> str:
    if column in set(ImportField):
        return f"write {column}={name}: what FlexiPrice calls it stands on the left"
    near = get_close_matches(name, list(ImportField), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{shown(name)} is none of {', '.join(ImportField)}{hint}"


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(_plain(name) for name in names[:40] if name)
    return f"{few}, …" if len(names) > 40 else few


def _plain(name: str) -> str:
    return shown(name)[1:-1]


def _normal(name: str) -> str:
    return "_".join(name.casefold().replace("-", " ").replace("_", " ").split())
