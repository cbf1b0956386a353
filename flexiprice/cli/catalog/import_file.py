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
from flexiprice.catalog.imports.cells import printable
from flexiprice.catalog.imports.columns import parse_column_map
from flexiprice.catalog.imports.dates import DEFAULT_DATE_FORMATS, Timestamps
from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.records import FileFormat
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.cli.access.audit import cli_event, recording_refusals
from flexiprice.cli.broker import command_settings
from flexiprice.cli.catalog.import_files import bad_rows_file, refuse_same_file, warnings_file
from flexiprice.cli.catalog.import_report import show_import
from flexiprice.cli.connections import with_database
from flexiprice.cli.console import JsonOption, print_json, stderr
from flexiprice.cli.tasks.enqueue import reprice, repricing
from flexiprice.db.tables import MAIN_STORE
from flexiprice.db.work import Work
from flexiprice.domain.audit import AuditOutcome
from flexiprice.plurals import counted
from flexiprice.resources import Database

SOME_ROWS_BAD = 3
_CHUNK = 1 << 16


def import_file(
    *,
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(
            metavar="FILE", help="CSV, NDJSON or JSON, perhaps gzipped; `-` reads standard input."
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
        Timestamps,
        typer.Option(
            help="Reading of a date with a time of day: `local` is the date in the store's time zone at that "
            "instant, `written` the date as written; `refuse` rejects the row. Midnight is always the date "
            "as written."
        ),
    ] = Timestamps.REFUSE,
    decimal_comma: Annotated[
        bool, typer.Option("--decimal-comma", help="Amounts are written 1.234,50 rather than 1,234.50.")
    ] = False,
    store: Annotated[str, typer.Option(metavar="CODE", help="Store of rows without a store.")] = MAIN_STORE,
    file_format: Annotated[
        FileFormat | None, typer.Option("--format", help="[default: detected by the content]")
    ] = None,
    sheet: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Sheet of a workbook. [default: the only one with any content]"),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(
            help="Delimiter of a CSV file. [default: that of a first line sep=; or detected in the header]"
        ),
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="Encoding of the file; Excel's plain CSV is often cp1252.")
    ] = "utf-8",
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

    Title rows above the header are skipped with a warning. Of a JSON document, the array of records in it is
    read, of a workbook the only sheet with any content, or `--sheet`.

    A cell that is interpreted, such as `="0012"` for the code 0012, causes a warning. Ignored columns are
    listed.

    Exit codes: 0 all rows imported, 3 some rows were bad and the others imported, 1 nothing imported.
    """
    settings = command_settings()
    layout = FileLayout(
        columns=parse_column_map(column or ()),
        date_formats=tuple(date_format or DEFAULT_DATE_FORMATS),
        timestamps=timestamps,
        decimal_comma=decimal_comma,
        currency=settings.currency,
        default_store=store,
        encoding=encoding,
        delimiter=delimiter,
        file_format=file_format,
        sheet=sheet,
        max_unpacked_bytes=settings.max_unpacked_bytes,
        workbook_memory_bytes=settings.workbook_memory_bytes,
    )

    refuse_same_file(file, errors, warnings)
    name = printable(getattr(file, "name", ""))

    async def use(database: Database) -> ImportReport:
        async with database.sessions() as session, session.begin() as transaction:
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
            elif (entry := _entry(name, report)) is not None:
                await record_audit(session, [entry])
            return report

    # A dry run changes nothing, whatever comes of it.
    with nullcontext() if dry_run else recording_refusals(settings, "import_file", name):
        report = with_database(settings, use, work=Work.RECOMPUTE)
    needed = bool(report.written) and not dry_run
    job = reprice(settings) if needed else None
    if as_json:
        print_json({"report": report, "dry_run": dry_run, "repricing": repricing(job, needed=needed)})
    else:
        show_import(report, dry_run=dry_run, errors=errors, warnings=warnings, job=job)
    if report.bad:
        raise typer.Exit(SOME_ROWS_BAD if report.imported else 1)


def _entry(name: str, report: ImportReport) -> AuditEvent | None:
    if report.written:
        return cli_event("import_file", name, {**report.written, "bad_rows": report.bad})
    if report.bad and not report.imported:
        reason = f"none of {counted(report.read, 'row')} is sound"
        return replace(cli_event("import_file", name, {"reason": reason}), outcome=AuditOutcome.REFUSED)
    return None


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
