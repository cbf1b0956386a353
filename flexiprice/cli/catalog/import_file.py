"""`flexiprice import`: imports products and batches from another system's file."""

import os
import stat
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from flexiprice.access.audit_log import AuditEvent, record_audit
from flexiprice.catalog.imports.columns import parse_column_map
from flexiprice.catalog.imports.file_options import FileOptions, ImportRequest, layout_of
from flexiprice.catalog.imports.files.records import FileFormat
from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.imports.known_exports import ExportName
from flexiprice.catalog.imports.notation.cells import printable
from flexiprice.catalog.imports.notation.dates import DEFAULT_DATE_FORMATS, Timestamps
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.catalog.imports.saved_mappings import check_mapping_name, resolve_options, save_mapping
from flexiprice.cli.access.audit import cli_event, recording_refusals
from flexiprice.cli.broker import command_settings
from flexiprice.cli.catalog.import_files import bad_rows_file, refuse_same_file, warnings_file
from flexiprice.cli.catalog.import_report import show_import
from flexiprice.cli.connections import with_database
from flexiprice.cli.console import JsonOption, output, print_json, stderr
from flexiprice.cli.tasks.enqueue import reprice, repricing
from flexiprice.db.work import Work
from flexiprice.domain.audit import AuditOutcome
from flexiprice.errors import InvalidInput
from flexiprice.plurals import counted
from flexiprice.resources import Database

SOME_ROWS_BAD = 3
_CHUNK = 1 << 16


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
            help="Save columns, formats, encoding, delimiter, sheet and store under a name, for `--format` "
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check everything, write nothing to the database.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Import products and batches from another system's export.

    Each row is a product (`sku`, `name`, `category`, `base_price`, perhaps `unit_cost`) and a batch of it
    (`quantity`, `expiry_date`, perhaps `lot` and `store`). Columns with these names are found
    automatically, in any case and spacing; map the others. Prices may have the sign or name of the shop's
    currency and thousands separators; a price in another currency makes its row bad.

    Every valid row is imported; each bad row is reported with its line, column and reason. Store, SKU, lot
    and expiry date identify a batch: importing again updates it, and batches that are not in the file stay.
    Of several rows about one batch the first is imported and the others are bad. Rows that give one product
    two prices, costs or categories are all bad. A file without `unit_cost` leaves known costs unchanged. A
    file without name, category and price updates stock alone, and its products must exist.

    Day and month are never guessed: without `--date-format` only dates that begin with the year are read,
    and a date about which two given formats disagree makes its row bad. A date is read only where writing
    it in the same format gives the same text; leading zeros may be missing where a format with separators
    is given.

    `--format` knows the columns of the exports of other systems; `--save-map` keeps your own.

    Title rows above the header are skipped with a warning. Of a JSON document, the array of records in it is
    read, of a workbook the only sheet with any content, or `--sheet`.

    A cell that is interpreted, such as `="0012"` for the code 0012, causes a warning. Ignored columns are
    listed.

    Exit codes: 0 all rows imported, 3 some rows were bad and the others imported, 1 nothing imported.
    """
    settings = command_settings()
    request = ImportRequest(
        options=FileOptions(
            columns=parse_column_map(column or ()),
            date_formats=tuple(date_format) if date_format else None,
            timestamps=timestamps,
            decimal_comma=_sign(comma=decimal_comma, point=decimal_point),
            encoding=encoding,
            delimiter=delimiter,
            sheet=sheet,
            store=store,
        ),
        format_name=format_name,
    )
    if save_map is not None:
        check_mapping_name(save_map)
    refuse_same_file(file, errors, warnings)
    name = printable(getattr(file, "name", ""))

    async def use(database: Database) -> ImportReport:
        async with database.sessions() as session, session.begin() as transaction:
            options, resolved = await resolve_options(session, request)
            layout = layout_of(options, resolved, settings)
            # Within the transaction: if writing a report file fails, nothing is imported.
            with ExitStack() as stack:
                on_bad_row = stack.enter_context(bad_rows_file(errors)) if errors else None
                on_warning = stack.enter_context(warnings_file(warnings)) if warnings else None
                chunks = stack.enter_context(_progress(file))
                report = (
                    await import_catalogue(
                        session, chunks, layout, on_bad_row=on_bad_row, on_warning=on_warning
                    )
                ).report
            if dry_run:
                await transaction.rollback()
            else:
                await record_audit(session, _entries(name, report))
                if save_map is not None and report.imported:
                    await save_mapping(session, save_map, options)
                    await record_audit(session, [cli_event("save_import_mapping", save_map)])
            return report

    # A dry run changes nothing, whatever comes of it.
    with nullcontext() if dry_run else recording_refusals(settings, "import_file", name):
        report = with_database(settings, use, work=Work.RECOMPUTE)
    needed = bool(report.written) and not dry_run
    job = reprice(settings) if needed else None
    saved = save_map if report.imported and not dry_run else None
    if as_json:
        repriced = repricing(job, needed=needed)
        print_json({"report": report, "dry_run": dry_run, "saved_map": saved, "repricing": repriced})
    else:
        show_import(report, dry_run=dry_run, errors=errors, warnings=warnings, job=job)
        if saved is not None:
            output().print(f"Saved for next time: flexiprice import FILE --format {saved}")
    if report.bad:
        raise typer.Exit(SOME_ROWS_BAD if report.imported else 1)


def _sign(*, comma: bool, point: bool) -> bool | None:
    if comma and point:
        raise InvalidInput("--decimal-comma and --decimal-point contradict each other")
    return comma if comma or point else None


def _entries(name: str, report: ImportReport) -> list[AuditEvent]:
    if report.written:
        return [cli_event("import_file", name, {**report.written, "bad_rows": report.bad})]
    if report.bad and not report.imported:
        reason = f"none of {counted(report.read, 'row')} is sound"
        return [replace(cli_event("import_file", name, {"reason": reason}), outcome=AuditOutcome.REFUSED)]
    return []


@contextmanager
def _progress(file: BinaryIO) -> Generator[Iterator[bytes]]:
    status = os.fstat(file.fileno())
    total = status.st_size if stat.S_ISREG(status.st_mode) else None
    console = stderr()
    with Progress(
        TextColumn("Importing"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=total)

        def chunks() -> Iterator[bytes]:
            while chunk := file.read(_CHUNK):
                progress.advance(task, len(chunk))
                yield chunk

        yield chunks()
