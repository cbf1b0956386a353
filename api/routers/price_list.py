"""`/admin/prices`: lists, imports and deletes base prices by store and day."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response

from api.audit.context import add_audit_details, skip_audit
from api.deps import BulkTransaction, OpenResources, StoreFilter, Transaction
from api.openapi import problems
from api.paging import BY_ID, Cursor, Limit, Page
from api.problems import ProblemResponse
from api.reprice_after_commit import MAX_NAMED_BATCHES, NOT_NEEDED, Reprice
from api.route_class import UploadRoute
from api.schemas.price_list import DeletedPriceOut, ListedPriceOut, PriceImportOut, PriceReportOut
from api.upload import UploadRequest, errors_of_rows, spooled
from flexiprice.catalog.imports.file_options import layout_of
from flexiprice.catalog.imports.files.sources import chunks_of
from flexiprice.catalog.imports.price_importer import import_prices
from flexiprice.catalog.imports.saved_mappings import resolve_options
from flexiprice.catalog.price_list_entries import delete_price as delete_entry
from flexiprice.catalog.price_list_entries import list_prices as list_entries
from flexiprice.catalog.products import find_priced_batches
from flexiprice.db.clock import database_now
from flexiprice.domain.catalog import Sku
from flexiprice.errors import InvalidInput
from flexiprice.plurals import counted

_REQUEST_BODY: Final = {
    "required": True,
    "content": {
        # Client generators support this type; they skip operations with text/csv or application/x-ndjson.
        "application/octet-stream": {
            "schema": {"type": "string", "format": "binary"},
            "examples": {
                "CSV": {
                    "value": "sku,base_price,store,valid_from,valid_until\n"
                    "BREAD-RYE-1,3.49,,,\nBREAD-RYE-1,2.99,main,2025-04-07,2025-04-13\n",
                },
                "NDJSON": {
                    "value": '{"sku": "BREAD-RYE-1", "base_price": "3.59", "store": "station"}\n',
                },
            },
        },
    },
}
_MAX_PRICE_ID: Final = 2_147_483_647

router = APIRouter(prefix="/prices", tags=["price-list"], route_class=UploadRoute)


@router.get("", responses=problems(401, 404, 503))
async def list_prices(
    transaction: Transaction,
    sku: Annotated[Sku | None, Query(description="Limits the list to the product with this code.")] = None,
    store: StoreFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[ListedPriceOut]:
    """Lists the price list by id: past, present and planned base prices.

    With `store`, entries for all stores are listed too. On a day, a store's own entries come before those for
    all stores; of several, the one that begins last holds. Without any, the product's base price does.
    """
    async with transaction() as session:
        found = await list_entries(session, sku=sku, store=store, after=BY_ID.read(cursor), limit=limit + 1)
    return BY_ID.page(found, limit, item=ListedPriceOut.of, place=lambda entry: entry.price_id)


@router.put(
    "",
    response_model=PriceImportOut,
    openapi_extra={"requestBody": _REQUEST_BODY},
    responses=problems(401, 409, 413, 415, 503),
)
async def put_prices(
    transaction: BulkTransaction,
    reprice: Reprice,
    request: Request,
    upload: UploadRequest,
    resources: OpenResources,
    atomic: Annotated[bool, Query(description="Whether one bad row rejects the whole file.")] = False,
    dry_run: Annotated[bool, Query(description="Whether to only check the file and write nothing.")] = False,
) -> PriceImportOut | Response:
    """Imports a file of base prices like `flexiprice import --kind prices`, and returns the same report.

    The file is of one of the types that `PUT /admin/batches` takes. Each row has `sku` and `base_price`, and
    optionally `store`, `valid_from` and `valid_until`, local dates of the store. Without a store and dates it
    is the product's base price in all stores; without `valid_from` it begins today. Product, store and first
    day identify an entry: sending the same file again changes nothing. Rows that contradict each other are
    all bad, and so are those whose product does not exist.
    """
    if upload.as_of is not None:
        raise InvalidInput("prices have their days in the columns valid_from and valid_until", field="as_of")
    async with spooled(request) as file, transaction() as session:
        options, upload = await resolve_options(session, upload)
        layout = layout_of(options, upload, resources.settings)
        async with session.begin_nested() as step:
            report = await import_prices(session, chunks_of(file), layout, store=options.store)
            is_written = not dry_run and not (atomic and report.bad) and bool(report.written)
            if not is_written:
                await step.rollback()
        if is_written:
            changed = (
                report.products_updated + report.prices_new + report.prices_updated + report.prices_ended
            )
            target = counted(changed, "price")
            add_audit_details(request, target=target, read=report.read, bad=report.bad, **report.written)
        else:
            skip_audit(request)
    if atomic and report.bad:
        detail = f"{report.bad} of {report.read} rows are bad, so nothing was written"
        return ProblemResponse(422, "invalid_input", detail, errors=errors_of_rows(report.bad_rows))
    repricing = await reprice.reprice_all() if is_written else NOT_NEEDED
    return PriceImportOut(report=PriceReportOut.of(report), dry_run=dry_run, repricing=repricing)


@router.delete("/{price_id}", responses=problems(401, 404, 503))
async def delete_price(
    transaction: Transaction,
    reprice: Reprice,
    price_id: Annotated[int, Path(ge=1, le=_MAX_PRICE_ID, description="Id of the entry.", examples=[17])],
) -> DeletedPriceOut:
    """Deletes an entry of the price list, and enqueues the repricing of its product's batches."""
    async with transaction() as session:
        entry = await delete_entry(session, price_id, now=await database_now(session))
        affected = await find_priced_batches(session, entry.sku, limit=MAX_NAMED_BATCHES + 1)
    shown = ListedPriceOut.of(entry)
    return DeletedPriceOut(**shown.model_dump(), repricing=await reprice.reprice(affected))
