"""The columns of exports of other systems, by the name of the system.

Sources, read in November 2026:

- odoo: labels of `stock.lot`, `stock.quant` and `product_expiry`, and the names of fields in an export for
  another import (github.com/odoo/odoo, addons/stock/models, addons/product_expiry/models). A field of a
  related record is written behind a slash.
- erpnext: the reports Batch Item Expiry Status and Batch-Wise Balance History, and labels and names of the
  fields of Batch (github.com/frappe/erpnext, erpnext/stock).
- square: the item library export, with a column of quantities for each location. Square publishes no list of
  its columns; these are those of importers on GitHub, such as Ksfraser's SquareCatalog of August 2025.
- shopify: the product and inventory CSV files (help.shopify.com/en/manual/products/import-export/using-csv,
  help.shopify.com/en/manual/products/inventory/inventory-csv), in the spelling of before 2025 too.
- grocy: `GET /api/objects/stock` (github.com/grocy/grocy, views/stockentries.blade.php) and `GET /api/stock`
  (CurrentStockResponse of pygrocy).
- openboxes: the inventory template and the cycle count report (github.com/openboxes/openboxes,
  InventoryExcelImporter, ReportController).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from flexiprice.catalog.imports.fields import ImportField


class ExportName(StrEnum):
    """A system whose export is known."""

    ODOO = "odoo"
    ERPNEXT = "erpnext"
    SQUARE = "square"
    SHOPIFY = "shopify"
    GROCY = "grocy"
    OPENBOXES = "openboxes"


@dataclass(frozen=True, slots=True)
class KnownExport:
    """The columns of a system's exports.

    Attributes:
        columns: names by field, the preferred one first, in any case; `*` stands for any text.
        instead: the columns to read, by field, where the cell of the field's column is empty.
        group: the names of the column that a product's rows share.
        carried: columns that only the first row of a group fills.
    """

    columns: Mapping[ImportField, tuple[str, ...]]
    instead: Mapping[ImportField, tuple[str, ...]] = field(default_factory=dict[ImportField, tuple[str, ...]])
    group: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()


_ODOO = KnownExport(
    {
        ImportField.SKU: (
            *("Product/Internal Reference", "Internal Reference"),
            *("product_id/default_code", "default_code"),
        ),
        ImportField.NAME: ("Product/Name", "Name", "Product", "product_id/name", "name", "product_id"),
        ImportField.CATEGORY: (
            *("Product/Product Category", "Product Category"),
            *("product_id/categ_id", "product_categ_id", "categ_id"),
        ),
        ImportField.BASE_PRICE: (
            *("Product/Sales Price", "Sales Price"),
            *("product_id/list_price", "product_id/lst_price", "list_price", "lst_price"),
        ),
        ImportField.UNIT_COST: ("Product/Cost", "Cost", "product_id/standard_price", "standard_price"),
        ImportField.STORE: ("Warehouse", "Location/Warehouse", "warehouse_id"),
        ImportField.LOT: ("Lot/Serial Number", "lot_id/name", "lot_id"),
        ImportField.QUANTITY: (
            *("On Hand Quantity", "Quantity On Hand", "Inventoried Quantity", "Quantity"),
            *("product_qty", "qty_available", "quantity"),
        ),
        ImportField.EXPIRY_DATE: (
            *("Expiration Date", "Lot/Serial Number/Expiration Date"),
            *("expiration_date", "lot_id/expiration_date"),
        ),
        ImportField.UNIT: (
            *("Product/Unit of Measure", "Unit of Measure", "Product/Unit", "Unit"),
            *("product_id/uom_id", "product_uom_id", "uom_id"),
        ),
    }
)

_ERPNEXT = KnownExport(
    {
        ImportField.SKU: ("Item Code", "Item", "item_code", "item"),
        ImportField.NAME: ("Item Name", "item_name"),
        ImportField.CATEGORY: ("Item Group", "item_group"),
        ImportField.BASE_PRICE: ("Standard Selling Rate", "standard_rate"),
        ImportField.UNIT_COST: ("Valuation Rate", "valuation_rate"),
        ImportField.STORE: ("Warehouse", "warehouse"),
        ImportField.LOT: ("Batch", "Batch No", "Batch ID", "batch_no", "batch_id"),
        ImportField.QUANTITY: (
            *("Balance Qty", "Batch Quantity", "Quantity", "Qty"),
            *("balance_qty", "batch_qty", "actual_qty", "qty"),
        ),
        ImportField.EXPIRY_DATE: ("Expires On", "Expiry Date", "expiry_date"),
        ImportField.UNIT: ("Default Unit of Measure", "Stock UOM", "UOM", "stock_uom"),
    }
)

_SQUARE = KnownExport(
    {
        ImportField.SKU: ("SKU",),
        ImportField.NAME: ("Item Name",),
        ImportField.CATEGORY: ("Reporting Category", "Category", "Categories"),
        ImportField.BASE_PRICE: ("Price",),
        ImportField.UNIT_COST: ("Default Unit Cost",),
        ImportField.QUANTITY: ("Current Quantity", "Current Quantity *"),
    }
)

_SHOPIFY = KnownExport(
    {
        ImportField.SKU: ("SKU", "Variant SKU"),
        ImportField.NAME: ("Title",),
        ImportField.CATEGORY: ("Product category", "Type"),
        # While a price is reduced, the regular one is here; the price itself would be reduced twice.
        ImportField.BASE_PRICE: ("Compare-at price", "Variant Compare At Price", "Price", "Variant Price"),
        ImportField.UNIT_COST: ("Cost per item",),
        ImportField.STORE: ("Location",),
        ImportField.GTIN: ("Barcode", "Variant Barcode"),
        ImportField.QUANTITY: (
            *("On hand (current)", "On hand", "Available (not editable)", "Available"),
            *("Inventory quantity", "Variant Inventory Qty"),
        ),
        ImportField.EXPIRY_DATE: (
            *("* (*.metafields.*.expiry_date)", "* (*.metafields.*.expiration_date)"),
            *("* (*.metafields.*.best_before)", "* (*.metafields.*.best_before_date)"),
        ),
    },
    instead={ImportField.BASE_PRICE: ("Price", "Variant Price")},
    group=("URL handle", "Handle"),
    carried=("Title", "Product category", "Type"),
)

_GROCY = KnownExport(
    {
        ImportField.SKU: ("product_id",),
        ImportField.NAME: ("product.name",),
        ImportField.LOT: ("stock_id",),
        ImportField.QUANTITY: ("amount",),
        ImportField.EXPIRY_DATE: ("best_before_date",),
    }
)

_OPENBOXES = KnownExport(
    {
        ImportField.SKU: ("Product code", "productCode"),
        ImportField.NAME: ("Product name", "product"),
        ImportField.CATEGORY: ("Category",),
        ImportField.LOT: ("Lot number", "lotNumber"),
        # The counted quantity, and the one of OpenBoxes where nothing was counted.
        ImportField.QUANTITY: ("Physical QOH", "OB QOH", "quantityOnHand"),
        ImportField.EXPIRY_DATE: ("Expiration date", "expirationDate"),
    },
    instead={ImportField.QUANTITY: ("OB QOH",)},
)

KNOWN_EXPORTS: Mapping[ExportName, KnownExport] = MappingProxyType(
    {
        ExportName.ODOO: _ODOO,
        ExportName.ERPNEXT: _ERPNEXT,
        ExportName.SQUARE: _SQUARE,
        ExportName.SHOPIFY: _SHOPIFY,
        ExportName.GROCY: _GROCY,
        ExportName.OPENBOXES: _OPENBOXES,
    }
)
