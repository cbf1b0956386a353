"""`flexiprice import` of products and batches."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.access.audit_log import AuditEvent, record_audit
from flexiprice.catalog.imports.complete_stock import CompleteStock
from flexiprice.catalog.imports.file_options import FileOptions, ImportRequest, layout_of
from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.catalog.imports.saved_mappings import check_mapping_name, resolve_options, save_mapping
from flexiprice.cli.access.audit import cli_event, recording_refusals
from flexiprice.cli.catalog.import_files import SOME_ROWS_BAD, ImportOutputs, bad_rows_file, warnings_file
from flexiprice.cli.catalog.import_report import show_import
from flexiprice.cli.connections import with_database
from flexiprice.cli.console import output, print_json
from flexiprice.cli.tasks.enqueue import reprice, repricing
from flexiprice.db.work import Work
from flexiprice.domain.audit import AuditOutcome
from flexiprice.plurals import counted
from flexiprice.resources import Database
from flexiprice.settings import Settings


def import_stock(
    settings: Settings,
    file: AbstractContextManager[Iterator[bytes]],
    request: ImportRequest,
    outputs: ImportOutputs,
    *,
    save_map: str | None,
    complete: CompleteStock | None,
) -> None:
    """Imports a file of products and batches, prints the report, and exits with 3 or 1 if rows were bad.

    A complete file is complete for the store of the request, if it names one.
    """
    if save_map is not None:
        check_mapping_name(save_map)
    name, errors, warnings, dry_run = outputs.name, outputs.errors, outputs.warnings, outputs.dry_run

    async def use(database: Database) -> ImportReport:
        async with database.sessions() as session, session.begin() as transaction:
            options, resolved = await resolve_options(session, request)
            layout = layout_of(options, resolved, settings)
            # Within the transaction: if writing a report file fails, nothing is imported.
            with ExitStack() as stack:
                on_bad_row = stack.enter_context(bad_rows_file(errors)) if errors else None
                on_warning = stack.enter_context(warnings_file(warnings)) if warnings else None
                chunks = stack.enter_context(file)
                report = (
                    await import_catalogue(
                        session,
                        chunks,
                        layout,
                        on_bad_row=on_bad_row,
                        on_warning=on_warning,
                        complete=replace(complete, store=options.store) if complete else None,
                    )
                ).report
            is_rejected = complete is not None and report.bad > 0
            if is_rejected:
                report = report.of_rejected_file()
            if is_rejected or dry_run:
                await transaction.rollback()
            else:
                await _conclude(session, name, report, options, save_map)
        if is_rejected and not dry_run:
            async with database.sessions.begin() as session:
                await record_audit(session, _entries(name, report))
        return report

    # A dry run changes nothing, whatever comes of it.
    with nullcontext() if dry_run else recording_refusals(settings, "import_file", name):
        report = with_database(settings, use, work=Work.RECOMPUTE)
    needed = bool(report.written) and not dry_run
    job = reprice(settings) if needed else None
    saved = save_map if report.imported and not dry_run else None
    if outputs.as_json:
        repriced = repricing(job, needed=needed)
        print_json({"report": report, "dry_run": dry_run, "saved_map": saved, "repricing": repriced})
    else:
        is_complete = complete is not None
        show_import(report, dry_run=dry_run, errors=errors, warnings=warnings, job=job, complete=is_complete)
        if saved is not None:
            output().print(f"Saved for next time: flexiprice import FILE --format {saved}")
    if report.bad:
        raise typer.Exit(SOME_ROWS_BAD if report.imported else 1)


async def _conclude(
    session: AsyncSession, name: str, report: ImportReport, options: FileOptions, save_map: str | None
) -> None:
    await record_audit(session, _entries(name, report))
    if save_map is not None and report.imported:
        await save_mapping(session, save_map, options)
        await record_audit(session, [cli_event("save_import_mapping", save_map)])


def _entries(name: str, report: ImportReport) -> list[AuditEvent]:
    if report.written:
        return [cli_event("import_file", name, {**report.written, "bad_rows": report.bad})]
    if report.bad and not report.imported:
        sound = "none" if report.bad == report.read else "not every one"
        reason = f"{sound} of {counted(report.read, 'row')} is sound"
        return [replace(cli_event("import_file", name, {"reason": reason}), outcome=AuditOutcome.REFUSED)]
    return []
