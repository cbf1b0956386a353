"""`PUT /admin/batches`: imports a file of batches like `flexiprice import`."""

from typing import Annotated, BinaryIO, Final

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.context import add_audit_details, skip_audit
from api.deps import BulkTransaction, OpenResources
from api.openapi import problems
from api.problems import ProblemResponse
from api.reprice_after_commit import MAX_NAMED_BATCHES, NOT_NEEDED, Reprice
from api.route_class import UploadRoute
from api.schemas.imports import BatchImportOut, ImportReportOut
from api.upload import CompletenessQuery, UploadRequest, errors_of_rows, spooled
from flexiprice.catalog.imports.complete_stock import CompleteStock
from flexiprice.catalog.imports.file_options import layout_of
from flexiprice.catalog.imports.files.sources import chunks_of
from flexiprice.catalog.imports.importer import Imported, import_catalogue
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.catalog.imports.saved_mappings import resolve_options
from flexiprice.plurals import counted

_REQUEST_BODY: Final = {
    "required": True,
    "content": {
        # Client generators support this type; they skip operations with text/csv or application/x-ndjson.
        "application/octet-stream": {
            "schema": {"type": "string", "format": "binary"},
            "examples": {
                "NDJSON": {
                    "value": '{"store": "main", "sku": "BREAD-RYE-1", "lot": "L-0815", '
                    '"expiry_date": "2025-04-02", "quantity": 24}\n'
                    '{"sku": "MILK-1L", "expiry_date": "2025-04-05", "quantity": 60}\n',
                },
                "CSV": {
                    "value": "store,sku,lot,expiry_date,quantity\nmain,BREAD-RYE-1,L-0815,2025-04-02,24\n",
                },
                "JSON": {
                    "value": '{"batches": [{"sku": "BREAD-RYE-1", "expiry_date": "2025-04-02", '
                    '"quantity": 24}]}'
                },
                "CSV with products": {
                    "value": "sku,name,category,base_price,expiry_date,quantity\n"
                    "BREAD-RYE-1,Rye bread 1 kg,Bakery,3.49,2025-04-02,24\n",
                },
            },
        },
    },
}


router = APIRouter(prefix="/batches", tags=["batches"], route_class=UploadRoute)


@router.put(
    "",
    response_model=BatchImportOut,
    openapi_extra={"requestBody": _REQUEST_BODY},
    responses=problems(401, 409, 413, 415, 503),
)
async def put_batches(
    transaction: BulkTransaction,
    reprice: Reprice,
    request: Request,
    upload: UploadRequest,
    completeness: CompletenessQuery,
    resources: OpenResources,
    atomic: Annotated[bool, Query(description="Whether one bad row rejects the whole file.")] = False,
    dry_run: Annotated[bool, Query(description="Whether to only check the file and write nothing.")] = False,
) -> BatchImportOut | Response:
    """Imports a file of batches like `flexiprice import`, and returns the same report.

    The file is CSV with a header, NDJSON, a JSON document with one array of records, or a workbook (.xlsx,
    .xls, .ods). Each row is a batch: `sku`, `expiry_date`, `quantity`, and optionally `store` and `lot`. A
    lot names one batch of a product in a store, whose expiry date is corrected if the file has another;
    without a lot, the expiry date names it. Rows may also have `name`, `category`, `base_price` and
    optionally `unit_cost` and `unit`: then their products are created or updated. Otherwise the products must
    exist. A product gains the GTINs of a column `gtin`. Batches and products that the file does not mention
    stay; with `complete=true` those batches are sold out. Negative stock is kept as 0, with a warning.

    Columns with these names are recognised, others are mapped by `map`, or by `format` for a known export or
    a saved mapping. A bad row is reported with its line, its column and the parameter that helps; good rows
    are kept, unless `atomic=true`. If several rows describe one batch, all but the first are bad; if they
    give one lot different dates, all of them are.

    The body may be sent as `text/csv`, `application/x-ndjson`, `application/json`, as a workbook by its type,
    or as `application/octet-stream` for any of them. It may be a gzip file, which is unpacked up to a limit.
    """
    async with spooled(request) as file, transaction() as session:
        options, upload = await resolve_options(session, upload)
        layout = layout_of(options, upload, resources.settings)
        stock = completeness.of_store(options.store)
        atomic = atomic or stock is not None
        imported = await _import(session, file, layout, atomic=atomic, dry_run=dry_run, complete=stock)
        report = imported.report
        written = not dry_run and not (atomic and report.bad) and bool(report.written)
        if written:
            add_audit_details(
                request, target=_target(report), read=report.read, bad=report.bad, **report.written
            )
        else:
            skip_audit(request)
    if atomic and report.bad:
        detail = f"{report.bad} of {report.read} rows are bad, so nothing was written"
        return ProblemResponse(422, "invalid_input", detail, errors=errors_of_rows(report.bad_rows))
    repricing = NOT_NEEDED
    if written and report.changes_other_batches:
        # Products and prices affect batches that the file does not mention.
        repricing = await reprice.reprice_all()
    elif written:
        repricing = await reprice.reprice(imported.changed_batches)
    return BatchImportOut(report=ImportReportOut.of(report), dry_run=dry_run, repricing=repricing)


def _target(report: ImportReport) -> str:
    batches = report.batches_new + report.batches_updated + report.batches_sold_out
    if not batches and not report.products_updated:
        prices = report.store_prices_changed
        return counted(prices, "store price") if prices else counted(report.gtins_new, "GTIN")
    if not batches:
        return counted(report.products_updated, "product")
    return f"{batches:,} {'batch' if batches == 1 else 'batches'}"


async def _import(
    session: AsyncSession,
    file: BinaryIO,
    layout: FileLayout,
    *,
    atomic: bool,
    dry_run: bool,
    complete: CompleteStock | None,
) -> Imported:
    async with session.begin_nested() as step:
        imported = await import_catalogue(
            session, chunks_of(file), layout, most_named=MAX_NAMED_BATCHES + 1, complete=complete
        )
        if dry_run or (atomic and imported.report.bad):
            await step.rollback()
    return imported
