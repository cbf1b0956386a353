"""Prints the report of an import."""

from pathlib import Path

from flexiprice.catalog.imports.price_importer import PriceReport
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.cli.catalog.report_parts import SHOWN, show_columns, show_rows
from flexiprice.cli.console import escaped, new_table, output
from flexiprice.plurals import counted
from flexiprice.queue.client import EnqueuedJob


def show_import(
    report: ImportReport,
    *,
    dry_run: bool,
    errors: Path | None,
    warnings: Path | None,
    job: EnqueuedJob | None,
    complete: bool = False,
) -> None:
    """Prints the numbers of imported rows, the warnings and the first bad rows.

    A complete file with a bad row is imported not at all, which is said too.
    """
    console = output()
    show_columns(report.columns, report.unused_columns)
    table = new_table("", "read", "imported", "bad", "new", "updated", "unchanged",
        numbers=("read", "imported", "bad", "new", "updated", "unchanged"),
    )  # fmt: skip
    table.add_row("rows", str(report.read), str(report.imported), str(report.bad))
    table.add_row(
        "products",
        *("", "", ""),
        *map(str, (report.products_new, report.products_updated, report.products_unchanged)),
    )
    table.add_row(
        "batches",
        *("", "", ""),
        *map(str, (report.batches_new, report.batches_updated, report.batches_unchanged)),
    )
    for what, imported, new, updated in (
        ("sold out", 0, 0, report.batches_sold_out),
        ("corrected dates", 0, 0, report.expiry_dates_corrected),
        ("without a date", report.without_expiry_date, 0, 0),
        ("GTINs", 0, report.gtins_new, 0),
        ("prices by store", 0, 0, report.store_prices_changed),
    ):
        counts = [str(number or "") for number in (imported, 0, new, updated)]
        if any(counts):
            table.add_row(what, "", *counts, "")
    console.print(table)
    if report.bad:
        _show_bad_rows(report, errors)
    if report.warning_count:
        _show_warnings(report, warnings)
    if complete and report.bad:
        console.print(
            "Nothing was imported: a complete file is imported as a whole or not at all.", style="red"
        )
    else:
        _show_end(dry_run=dry_run, job=job)


def show_price_import(
    report: PriceReport,
    *,
    dry_run: bool,
    errors: Path | None,
    warnings: Path | None,
    job: EnqueuedJob | None,
) -> None:
    """Prints the numbers of imported prices, the warnings and the first bad rows."""
    show_columns(report.columns, report.unused_columns)
    numbers = ("read", "imported", "bad", "new", "updated", "ended", "unchanged")
    table = new_table("", *numbers, numbers=numbers)
    table.add_row("rows", str(report.read), str(report.imported), str(report.bad))
    table.add_row(
        "products",
        *("", "", "", ""),
        *map(str, (report.products_updated, "", report.products_unchanged)),
    )
    table.add_row(
        "price list",
        *("", "", ""),
        *map(
            str,
            (report.prices_new, report.prices_updated, report.prices_ended, report.prices_unchanged),
        ),
    )
    output().print(table)
    if report.bad:
        _show_bad_rows(report, errors)
    if report.warning_count:
        _show_warnings(report, warnings)
    _show_end(dry_run=dry_run, job=job)


def _show_end(*, dry_run: bool, job: EnqueuedJob | None) -> None:
    if dry_run:
        output().print("A rehearsal: nothing was written.")
    elif job is not None:
        output().print(f"The workers reprice it now: flexiprice status {job.job_id}")


def _show_warnings(report: ImportReport | PriceReport, warnings: Path | None) -> None:
    console = output()
    console.print("Warnings:", style="yellow")
    for warning in report.warnings[:SHOWN]:
        place = [f"line {warning.line}"] if warning.line is not None else []
        place += [escaped(warning.column)] if warning.column else []
        # Not folded, so that an option in it can be copied.
        console.print(f"  {', '.join(place)}: {escaped(warning.message)}", soft_wrap=True)
    if warnings is not None:
        console.print(f"Written to {escaped(warnings)}: {counted(report.warning_count, 'warning')}.")
    elif report.warning_count > SHOWN:
        console.print(f"… and {report.warning_count - SHOWN} more; --warnings FILE writes them all.")


def _show_bad_rows(report: ImportReport | PriceReport, errors: Path | None) -> None:
    console = output()
    show_rows("why it was left out", report.bad_rows[:SHOWN])
    if errors is not None:
        console.print(f"Written to {escaped(errors)}: {counted(report.bad, 'bad row')}.")
    elif report.bad > SHOWN:
        console.print(f"… and {report.bad - SHOWN} more; --errors FILE writes them all.")
