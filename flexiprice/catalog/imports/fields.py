"""The fields of an import, and the names that other systems give their columns."""

from collections.abc import Mapping
from enum import StrEnum


class ImportField(StrEnum):
    """A field that an import reads from each record."""

    SKU = "sku"
    NAME = "name"
    CATEGORY = "category"
    BASE_PRICE = "base_price"
    UNIT_COST = "unit_cost"
    STORE = "store"
    LOT = "lot"
    QUANTITY = "quantity"
    EXPIRY_DATE = "expiry_date"
    GTIN = "gtin"
    AS_OF = "as_of"
    UNIT = "unit"
    VALID_FROM = "valid_from"
    VALID_UNTIL = "valid_until"


class FileKind(StrEnum):
    """The kind of rows in a file: products with batches, or prices."""

    STOCK = "stock"
    PRICES = "prices"


_DATES_OF_PRICES = frozenset({ImportField.VALID_FROM, ImportField.VALID_UNTIL})
FIELDS_OF: Mapping[FileKind, frozenset[ImportField]] = {
    FileKind.STOCK: frozenset(ImportField) - _DATES_OF_PRICES,
    FileKind.PRICES: _DATES_OF_PRICES | {ImportField.SKU, ImportField.BASE_PRICE, ImportField.STORE},
}
"""The fields that a file of each kind is read for."""

OPTIONAL = frozenset(
    {
        ImportField.UNIT_COST,
        ImportField.STORE,
        ImportField.LOT,
        ImportField.GTIN,
        ImportField.AS_OF,
        ImportField.UNIT,
        *_DATES_OF_PRICES,
    }
)
REQUIRED = tuple(field for field in ImportField if field not in OPTIONAL)
# The fields that describe a product. A file with none of them has stock levels only.
DESCRIBING = (ImportField.NAME, ImportField.CATEGORY, ImportField.BASE_PRICE, ImportField.UNIT_COST)

# Other systems' names of the optional columns. They match if exactly one is present: without a match, all
# stock would silently go to one store or into one lot.
SAME_MEANING: Mapping[ImportField, tuple[str, ...]] = {
    ImportField.STORE: ("store_code", "shop_code", "branch_code", "outlet_code"),
    ImportField.LOT: ("lot_number", "lot_no", "lot_nr", "lot_code", "batch_number", "batch_no", "batch_code"),
    ImportField.UNIT_COST: ("cost_price", "unit_cost_price", "cost_per_unit"),
    ImportField.UNIT: ("unit_of_measure", "units_of_measure", "uom", "stock_uom", "default_unit_of_measure"),
    ImportField.GTIN: (
        *("gtins", "gtin13", "gtin_13", "gtin14", "gtin_14", "ean", "eans", "ean13", "ean_13"),
        *("barcode", "barcodes", "upc"),
    ),
}
# Names that are suggested, never matched: a wrong guess would misprice.
OTHER_NAMES: Mapping[ImportField, tuple[str, ...]] = {
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
    ImportField.AS_OF: ("stock_as_of", "as_of_date", "snapshot_at", "counted_at", "exported_at"),
    ImportField.UNIT: ("unit_name", "base_unit", "sales_unit", "measure", "uom_id", "mengeneinheit"),
    ImportField.VALID_FROM: ("from", "date_start", "start_date", "valid_from_date", "effective_from"),
    ImportField.VALID_UNTIL: ("until", "date_end", "end_date", "valid_to", "valid_till", "effective_to"),
    ImportField.GTIN: ("gtin_8", "gtin_12", "ean_8", "ean_code", "upc_a", "upc_code", "bar_code"),
}

ColumnMap = Mapping[ImportField, str]
"""The column of each field."""
