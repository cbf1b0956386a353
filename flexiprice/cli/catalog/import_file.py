"""`flexiprice import`: imports products and batches from another system's file."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.complete_stock import MAX_SOLD_OUT_PERCENT, CompleteStock
from flexiprice.catalog.imports.file_options import FileOptions, ImportRequest
from flexiprice.catalog.imports.files.records import FileFormat
from flexiprice.catalog.imports.known_exports import ExportName
from flexiprice.catalog.imports.notation.absent_dates import NoExpiry
from flexiprice.catalog.imports.notation.cells import CellRefused, printable, read_category
from flexiprice.catalog.imports.notation.dates import DEFAULT_DATE_FORMATS, Timestamps
from flexiprice.cli.broker import command_settings
from flexiprice.cli.catalog.import_events import ImportKind, import_events
from flexiprice.cli.catalog.import_files import ImportOutputs, refuse_same_file
from flexiprice.cli.catalog.import_prices import import_price_file
from flexiprice.cli.catalog.import_progress import reading
from flexiprice.cli.catalog.import_stock import import_stock
from flexiprice.cli.console import JsonOption
from flexiprice.errors import InvalidInput
from flexiprice.events.columns import parse_event_map

_CHUNK = 1 << 16
_CATALOGUE = frozenset({ImportKind.STOCK, ImportKind.PRICES})


def import_file(
    *,
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(
            metavar="FILE",
            help="CSV, NDJSON, JSON or a workbook (.xlsx, .xls, .ods), perhaps gzipped; `-` reads standard "
            "input.",
        ),
    ],
    kind: Annotated[
        ImportKind,
        typer.Option(
            help="Rows of the file: `stock` is products and their batches, `prices` is base prices by store "
            "and day, the others are events with the fields of POST /admin/events."
        ),
    ] = ImportKind.STOCK,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="System that numbered the lines of events, such as `till-1`; or a column."
        ),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="INSTANT",
            help="Instant at which the stock holds, such as 2026-03-31T06:00:00+02:00, for rows without a "
            "column `as_of` (of events: `occurred_at`). Events after it move the stock, earlier ones do not. "
            "[default: the time of receipt]",
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="Column of the file that holds a field: `--map sku=Product_ID`. Repeat it for each field. "
            "An empty column (`--map lot=`) means that no column does. `product.name` is a field of a nested "
            "JSON object.",
        ),
    ] = None,
    date_format: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORMAT",
            help="Format of dates: `%m/%d/%Y` is 8/16/2024, `%d.%m.%Y` is 16.08.2024, `%y%m%d` is "
            "240816 (GS1; day 00 is the month's last), `excel` is 45520 (a spreadsheet's day number). Repeat "
            "it where a file mixes several. "
            f"[default: year first, {', '.join(DEFAULT_DATE_FORMATS[:3])} and the like]",
        ),
    ] = None,
    timestamps: Annotated[
        Timestamps | None,
        typer.Option(
            help="Reading of a date with a time of day: `local` is the date in the store's time zone at that "
            "instant, `written` the date as written; `refuse` rejects the row. Midnight is always the date "
            "as written. [default: refuse]"
        ),
    ] = None,
    decimal_comma: Annotated[
        bool, typer.Option("--decimal-comma", help="Amounts are written 1.234,50 rather than 1,234.50.")
    ] = False,
    decimal_point: Annotated[
        bool, typer.Option("--decimal-point", help="Amounts are written 1,234.50, whatever a mapping says.")
    ] = False,
    store: Annotated[
        str | None, typer.Option(metavar="CODE", help="Store of rows without a store. [default: main]")
    ] = None,
    default_category: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Category of products whose rows have none. [default: such rows are bad]"
        ),
    ] = None,
    no_expiry: Annotated[
        NoExpiry | None,
        typer.Option(
            help="Rows without an expiry date, or with 9999-12-31, 2999-12-31 or 2099-12-31: `keep` keeps "
            "their stock, which is never discounted; `refuse` rejects them. [default: refuse]"
        ),
    ] = None,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help=f"A known export ({', '.join(ExportName)}), a mapping that was saved by `--save-map`, or a "
            f"file format ({', '.join(FileFormat)}). `--map` and the other options win over it. "
            "[default: fields by their names, the file format by the content]",
        ),
    ] = None,
    save_map: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Save columns, formats and the options beside them under a name, for `--format` "
            "next time; a mapping of that name is replaced. Nothing is saved if no row is imported.",
        ),
    ] = None,
    sheet: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Sheet of a workbook. [default: the only one with any content]"),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(help="Delimiter of a CSV file. [default: of a line sep=; or detected in the header]"),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="Encoding of the file; Excel's plain CSV is often cp1252. [default: utf-8]"),
    ] = None,
    errors: Annotated[
        Path | None, typer.Option(dir_okay=False, writable=True, help="Write every bad row to this CSV file.")
    ] = None,
    warnings: Annotated[
        Path | None, typer.Option(dir_okay=False, writable=True, help="Write every warning to this CSV file.")
    ] = None,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete",
            help="The file is the whole stock of the stores that it names, or of `--store` alone: batches "
            "that it leaves out are sold out. One bad row and nothing is imported.",
        ),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            help=f"Accept a complete file that leaves out more than {MAX_SOLD_OUT_PERCENT} % of the batches "
            "in stock.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check everything, write nothing to the database.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Import products and batches from another system's export.

    Each row is a product (`sku`, `name`, `category`, `base_price`, perhaps `unit_cost` and `unit`) and a
    batch of it (`quantity`, `expiry_date`, perhaps `lot` and `store`). Columns with these names are found
    automatically, in any case and spacing; map the others. Prices may have the sign or name of the shop's
    currency and thousands separators; a price in another currency makes its row bad.

    Every valid row is imported; each bad row is reported with its line, column and reason. A lot names one
    batch of a product in a store, whose expiry date is corrected if the file has another; without a lot, the
    expiry date names it. Importing again updates batches, and those that are not in the file stay; with
    `--complete` they are sold out. Rows without an expiry date or a category are bad without `--no-expiry`
    or `--default-category`.

    Of several rows about one batch the first is imported and the others are bad. Rows that give one product
    two costs, categories or units, two prices in one store, or one lot two dates, are all bad; prices may
    differ by store. A file without `unit_cost` leaves known costs unchanged. A file without name, category
    and price updates stock alone, and its products must exist.

    Quantities count in the product's unit, `each` by default: a fraction of a product in `each` makes its row
    bad. Negative stock is kept as 0, with a warning.

    Day and month are never guessed: without `--date-format` only dates that begin with the year are read,
    and a date about which two given formats disagree makes its row bad. A date is read only where writing
    it in the same format gives the same text; leading zeros may be missing where a format with separators
    is given.

    `--format` knows the columns of the exports of other systems; `--save-map` keeps your own.

    Title rows above the header are skipped with a warning. Of a JSON document, the array of records in it is
    read, of a workbook the only sheet with any content, or `--sheet`.

    With `--kind prices`, each row is a base price: `sku`, `base_price`, perhaps `store`, `valid_from` and
    `valid_until`. Without a store and dates it is the product's in all stores; without `valid_from` it
    begins today. The products must exist.

    With the other kinds, each row is an event: `line_id`, `occurred_at`, `sku` or `gtin`, `quantity`, perhaps
    `store`, `source`, `unit_price` (of sales), `lot` and `expiry_date`. Importing again ignores what is
    recorded; a row with the identity of a recorded event and other content is set aside.

    A cell that is interpreted, such as `="0012"` for the code 0012, causes a warning. Ignored columns are
    listed.

    Exit codes: 0 all rows imported, 3 some rows were bad and the others imported, 1 nothing imported.
    """
    settings = command_settings()
    request = ImportRequest(
        options=FileOptions(
            columns=parse_column_map(column or ()) if kind in _CATALOGUE else {},
            date_formats=tuple(date_format) if date_format else None,
            timestamps=timestamps,
            decimal_comma=_sign(comma=decimal_comma, point=decimal_point),
            encoding=encoding,
            delimiter=delimiter,
            sheet=sheet,
            store=store,
            default_category=_category(default_category),
            no_expiry=no_expiry,
        ),
        format_name=format_name,
        as_of=_instant(as_of),
    )
    outputs = ImportOutputs(
        name=printable(getattr(file, "name", "")),
        errors=errors,
        warnings=warnings,
        dry_run=dry_run,
        as_json=as_json,
    )
    refuse_same_file(file, errors, warnings)
    if kind is ImportKind.STOCK:
        if source is not None:
            raise InvalidInput("--source is for events: give --kind sales, waste, counts or deliveries")
        stock = CompleteStock(is_confirmed=yes) if complete else None
        import_stock(settings, reading(file), request, outputs, save_map=save_map, complete=stock)
        return
    if save_map is not None or complete:
        raise InvalidInput("--save-map and --complete are for imports of stock")
    if default_category is not None or no_expiry is not None:
        raise InvalidInput("--default-category and --no-expiry are for imports of stock")
    if kind is ImportKind.PRICES:
        if source is not None or as_of is not None:
            raise InvalidInput("--source and --as-of are not for prices: give their days in columns")
        import_price_file(settings, reading(file), request, outputs)
        return
    if warnings is not None:
        raise InvalidInput("--warnings is for imports of stock and prices")
    import_events(
        settings,
        reading(file),
        request,
        outputs,
        kind=kind,
        columns=parse_event_map(column or ()),
        source=source,
    )


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise InvalidInput(f"--as-of {text!r} must be an instant such as 2026-03-31T06:00:00+02:00")
    return instant


def _category(name: str | None) -> str | None:
    try:
        return None if name is None else read_category(name)
    except CellRefused as refused:
        raise InvalidInput(f"--default-category {refused}", field="default_category") from None


def _sign(*, comma: bool, point: bool) -> bool | None:
    if comma and point:
        raise InvalidInput("--decimal-comma and --decimal-point contradict each other")
    return comma if comma or point else None
