"""`flexiprice import --kind prices`: imports prices of products, by store and by day."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext

import typer

from flexiprice.access.audit_log import record_audit
from flexiprice.catalog.imports.file_options import ImportRequest, layout_of
from flexiprice.catalog.imports.price_importer import PriceReport, import_prices
from flexiprice.catalog.imports.saved_mappings import resolve_options
from flexiprice.cli.access.audit import cli_event, recording_refusals
from flexiprice.cli.catalog.import_files import SOME_ROWS_BAD, ImportOutputs, bad_rows_file, warnings_file
from flexiprice.cli.catalog.import_report import show_price_import
from flexiprice.cli.connections import with_database
from flexiprice.cli.console import print_json
from flexiprice.cli.tasks.enqueue import reprice, repricing
from flexiprice.db.work import Work
from flexiprice.resources import Database
from flexiprice.settings import Settings


def import_price_file(
    settings: Settings,
    file: AbstractContextManager[Iterator[bytes]],
    request: ImportRequest,
    outputs: ImportOutputs,
) -> None:
    """Imports a file of prices, prints the report, and exits with 3 or 1 if rows were bad."""
    name, errors, warnings, dry_run = outputs.name, outputs.errors, outputs.warnings, outputs.dry_run

    async def use(database: Database) -> PriceReport:
        async with database.sessions() as session, session.begin() as transaction:
            options, resolved = await resolve_options(session, request)
            # Within the transaction: if writing a report file fails, nothing is imported.
            with ExitStack() as stack:
                on_bad_row = stack.enter_context(bad_rows_file(errors)) if errors else None
                on_warning = stack.enter_context(warnings_file(warnings)) if warnings else None
                report = await import_prices(
                    session,
                    stack.enter_context(file),
                    layout_of(options, resolved, settings),
                    store=options.store,
                    on_bad_row=on_bad_row,
                    on_warning=on_warning,
                )
            if dry_run:
                await transaction.rollback()
            elif report.written:
                counts = {**report.written, "bad_rows": report.bad}
                await record_audit(session, [cli_event("import_prices", name, counts)])
        return report

    # A dry run changes nothing, whatever comes of it.
    with nullcontext() if dry_run else recording_refusals(settings, "import_prices", name):
        report = with_database(settings, use, work=Work.RECOMPUTE)
    needed = bool(report.written) and not dry_run
    job = reprice(settings) if needed else None
    if outputs.as_json:
        print_json({"report": report, "dry_run": dry_run, "repricing": repricing(job, needed=needed)})
    else:
        show_price_import(report, dry_run=dry_run, errors=errors, warnings=warnings, job=job)
    if report.bad:
        raise typer.Exit(SOME_ROWS_BAD if report.imported else 1)
