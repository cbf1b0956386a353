"""Which column of a file holds what. Only names that say it match by themselves; the rest is suggested."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from flexiprice.catalog.imports.cells import shown
from flexiprice.catalog.imports.spelling import Option
from flexiprice.errors import InvalidInput


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
# What says of a product all that there is to say. A file that says none of it tells of stock alone.
DESCRIBING = (ImportField.NAME, ImportField.CATEGORY, ImportField.BASE_PRICE, ImportField.UNIT_COST)

# How other systems call the optional columns. One of these is read where no other column could be meant:
# without it, all stock would silently go to one store or into one lot.
_SAME_MEANING: Mapping[ImportField, tuple[str, ...]] = {
    ImportField.STORE: ("store_code", "shop_code", "branch_code", "outlet_code"),
    ImportField.LOT: ("lot_number", "lot_no", "lot_nr", "lot_code", "batch_number", "batch_no", "batch_code"),
    ImportField.UNIT_COST: ("cost_price", "unit_cost_price", "cost_per_unit"),
}
# Only ever suggested: a guess that is wrong would misprice.
_OTHER_NAMES: Mapping[ImportField, tuple[str, ...]] = {
    ImportField.SKU: (
        *("product_id", "product_code", "item_code", "item_number", "article_number", "article_code"),
        *("ean", "gtin", "upc", "barcode", "sku_code", "plu"),
    ),
    ImportField.NAME: ("product_name", "item_name", "article_name", "product", "description", "title"),
    ImportField.CATEGORY: ("product_category", "category_name", "department", "group", "product_group"),
    ImportField.BASE_PRICE: (
        *("unit_price", "price", "retail_price", "list_price", "selling_price", "sales_price"),
        *("original_price", "regular_price", "price_per_unit", "rrp", "msrp"),
    ),
    ImportField.UNIT_COST: ("cost", "purchase_price", "wholesale_price", "buying_price"),
    ImportField.STORE: ("store_id", "store_name", "store_number", "shop", "branch", "site", "outlet"),
    ImportField.LOT: ("batch", "batch_id", "lot_id", "charge"),
    ImportField.QUANTITY: (
        *("stock_quantity", "stock", "stock_level", "stock_on_hand", "qty", "units", "on_hand"),
        *("quantity_on_hand", "on_hand_quantity", "qoh", "ob_qoh"),
    ),
    ImportField.EXPIRY_DATE: (
        *("expiration_date", "expires", "expires_on", "expiry", "exp_date", "best_before"),
        *("best_before_date", "use_by", "use_by_date", "sell_by_date", "bbd", "mhd"),
    ),
}
_LIKENESS = 0.8
# Where one word of a name ends and the next begins: `basePrice`, `SKUCode`, `Lot-No.`
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD = re.compile(r"[\s\ufeff\u200b_.:#/()\[\]-]+")

ColumnMap = Mapping[ImportField, str]


@dataclass(frozen=True, slots=True)
class ColumnMatch:
    """Which column each field is read from, and which columns nothing is read from.

    Attributes:
        columns: column by field.
        unused: the other columns.
    """

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
        if not column and field not in OPTIONAL and field not in DESCRIBING:
            raise InvalidInput(f"{field} is required, so a column must hold it", field="map")
        columns[field] = column
    return columns


def match_columns(names: Sequence[str], mapping: ColumnMap) -> ColumnMatch:
    """Matches what a record offers with what is asked for, missing columns left out.

    A field that the mapping does not mention is read from the column of the same name, however its words
    are joined: `basePrice` and `Base Price` are `base_price`. An optional one is also read from a column
    of the same meaning, such as `Store code`, where there is one such column.
    """
    present = set(names)
    by_name = _by_normal_name(names)
    wanted = {
        field: mapping[field] if field in mapping else _column_of(field, by_name) for field in ImportField
    }
    columns = {field: column for field, column in wanted.items() if column and column in present}
    taken = set(columns.values())
    unused = tuple(dict.fromkeys(name for name in names if name and name not in taken))
    return ColumnMatch(columns, unused)


def find_lookalikes(match: ColumnMatch, mapping: ColumnMap) -> dict[ImportField, tuple[str, ...]]:
    """Unused columns that may be meant for a field that is read from no column and need not be."""
    free = _by_normal_name(match.unused)
    dispensable = OPTIONAL.union(DESCRIBING) if is_about_stock_alone(match.columns) else OPTIONAL
    missing = [field for field in ImportField if field in dispensable - match.columns.keys() - mapping.keys()]
    return {field: found for field in missing if (found := _like(field, free))}


def is_about_stock_alone(columns: ColumnMap) -> bool:
    """Whether a record with these columns says nothing of its product but which one it is."""
    return columns.keys().isdisjoint(DESCRIBING)


def match_header(names: Sequence[str], mapping: ColumnMap) -> ColumnMatch:
    """Matches a header, which must offer every column that is needed.

    All that describes products may be missing, where no other column could be meant for it.

    Raises:
        InvalidInput: a mapped or a required column is missing, or stands there twice. The details
            have `suggestions`, columns of the file by field.
    """
    for field, column in mapping.items():
        if column and column not in names:
            raise _no_such_column(field, column, names)
    for field in ImportField:
        same = [] if field in mapping else _by_normal_name(names).get(field.value, [])
        if len(same) > 1:
            raise _same_columns(field, same)
    match = match_columns(names, mapping)
    missing = [field for field in REQUIRED if field not in match.columns]
    told_alone = is_about_stock_alone(match.columns) and find_lookalikes(match, mapping).keys().isdisjoint(
        DESCRIBING
    )
    if told_alone:
        missing = [field for field in missing if field not in DESCRIBING]
    if missing:
        raise _missing_columns(missing, match.unused, names)
    for field, column in match.columns.items():
        if names.count(column) > 1:
            raise InvalidInput(f"the file has two columns {shown(column)} for {field}", field="map")
    return match


def suggest(fields: Iterable[ImportField], names: Sequence[str]) -> dict[ImportField, str]:
    """The column that most likely holds each field, where one comes close; none is suggested twice."""
    free = _by_normal_name(names)
    suggestions: dict[ImportField, str] = {}
    for field in fields:
        if found := _like(field, free):
            suggestions[field] = found[0]
            free = {name: columns for name, columns in free.items() if found[0] not in columns}
    return suggestions


def map_option(field: ImportField, column: str) -> Option:
    """The option that reads a field from a column."""
    return Option("map", f"{field.value}={column}")


def _column_of(field: ImportField, by_name: Mapping[str, list[str]]) -> str:
    if same := by_name.get(field.value):
        return same[0]
    others = [column for name in _SAME_MEANING.get(field, ()) for column in by_name.get(name, ())]
    return others[0] if len(others) == 1 else ""


def _like(field: ImportField, free: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Columns that may hold a field, the likeliest first."""
    known = (field.value, *_SAME_MEANING.get(field, ()), *_OTHER_NAMES[field])
    equal = [name for name in known if name in free]
    near = [name for each in known for name in get_close_matches(each, free, 3, _LIKENESS)]
    return tuple(dict.fromkeys(column for name in (*equal, *near) for column in free[name]))


def _same_columns(field: ImportField, same: Sequence[str]) -> InvalidInput:
    if len(set(same)) == 1:
        return InvalidInput(f"the file has two columns {shown(same[0])} for {field}", field="map")
    told = " and ".join(shown(name) for name in same[:2])
    return InvalidInput(
        f"the file has the columns {told}, and either may be {field}: say which",
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
    missing: Sequence[ImportField], unused: Sequence[str], names: Sequence[str]
) -> InvalidInput:
    near = suggest(missing, unused)
    of_stock = "; stock alone is told without any of them" if set(missing) <= set(DESCRIBING) else ""
    return InvalidInput(
        f"the file has no column for {', '.join(missing)}; it has {_listed(names)}{of_stock}",
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
    few = ", ".join(plain_name(name) for name in names[:40] if name)
    return f"{few}, …" if len(names) > 40 else few


def plain_name(name: str) -> str:
    """A column's name as it may be shown anywhere: short, with nothing in it that a terminal obeys."""
    return shown(name)[1:-1]


def _by_normal_name(names: Iterable[str]) -> dict[str, list[str]]:
    by_name: dict[str, list[str]] = {}
    for name in names:
        by_name.setdefault(_normal(name), []).append(name)
    return by_name


def _normal(name: str) -> str:
    return _NO_WORD.sub("_", _WORD_STARTS.sub("_", name).casefold()).strip("_")
