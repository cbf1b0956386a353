"""`/admin/batches`: lists, creates, changes and deletes batches."""

from typing import Annotated, cast

from fastapi import APIRouter, Query, Request, Response

from api.deps import BatchPath, CategoryFilter, ExpiringFilter, StoreFilter, Transaction, read_as_of
from api.openapi import problems
from api.paging import BY_ID, ChangedSince, ChangePage, Cursor, Limit, change_page
from api.reprice_after_commit import NOT_NEEDED, Reprice
from api.route_class import ProblemRoute
from api.schemas.catalogue import BatchCreate, BatchOut, BatchUpdate, ChangedBatchOut
from api.urls import ADMIN, address
from flexiprice.catalog import batches
from flexiprice.db.clock import database_now
from flexiprice.domain.catalog import Sku
from flexiprice.pricing import batch_deletion

router = APIRouter(prefix="/batches", tags=["batches"], route_class=ProblemRoute)


@router.get("", responses=problems(401, 404, 503))
async def list_batches(
    *,
    transaction: Transaction,
    store: StoreFilter = None,
    sku: Annotated[Sku | None, Query(description="Limits the list to this product.")] = None,
    category: CategoryFilter = None,
    expiring_within: ExpiringFilter = None,
    in_stock: Annotated[
        bool | None, Query(description="Limits the list to batches with stock, or without.")
    ] = None,
    changed_since: ChangedSince = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> ChangePage[BatchOut]:
    """Lists batches by id."""
    chosen = batches.BatchFilter(
        store=store,
        sku=sku,
        category=category,
        expiring_within=expiring_within,
        in_stock=in_stock,
        changed_since=changed_since,
    )
    async with transaction() as session:
        as_of = await read_as_of(session, cursor)
        found = await batches.list_batches(
            session, chosen, now=await database_now(session), after=BY_ID.read(cursor), limit=limit + 1
        )
    page = BY_ID.page(found, limit, item=BatchOut.of, place=lambda batch: batch.batch_id)
    return change_page(page, as_of)


@router.post("", status_code=201, responses=problems(401, 404, 409, 503))
async def create_batch(
    transaction: Transaction, reprice: Reprice, request: Request, response: Response, body: BatchCreate
) -> ChangedBatchOut:
    """Creates a batch, and enqueues its repricing."""
    async with transaction() as session:
        batch = await batches.create_batch(
            session,
            store=body.store,
            sku=body.sku,
            lot=body.lot,
            expiry_date=body.expiry_date,
            quantity=body.quantity,
            now=await database_now(session),
        )
    response.headers["Location"] = address(request, f"{ADMIN}/batches/{batch.batch_id}")
    return await _priced(batch, reprice)


@router.get("/{batch_id}", responses=problems(401, 404, 503))
async def get_batch(transaction: Transaction, batch_id: BatchPath) -> BatchOut:
    """Reads a batch."""
    async with transaction() as session:
        return BatchOut.of(await batches.get_batch(session, batch_id, now=await database_now(session)))


@router.patch("/{batch_id}", responses=problems(401, 404, 409, 503))
async def change_batch(
    transaction: Transaction, reprice: Reprice, batch_id: BatchPath, body: BatchUpdate
) -> ChangedBatchOut:
    """Changes a batch, and enqueues its repricing; stock never falls below zero."""
    changes = cast("batches.BatchChanges", body.model_dump(exclude_unset=True))
    async with transaction() as session:
        batch = await batches.change_batch(session, batch_id, changes, now=await database_now(session))
    if not changes.keys() - {"lot"}:
        return ChangedBatchOut(**BatchOut.of(batch).model_dump(), repricing=NOT_NEEDED)
    return await _priced(batch, reprice)


@router.delete("/{batch_id}", status_code=204, responses=problems(401, 404, 503))
async def delete_batch(transaction: Transaction, batch_id: BatchPath) -> None:
    """Deletes a batch; its open discount is closed with the reason `deleted`."""
    async with transaction() as session:
        await batch_deletion.delete_batch(session, batch_id, now=await database_now(session))


async def _priced(batch: batches.BatchRecord, reprice: Reprice) -> ChangedBatchOut:
    repricing = await reprice.reprice([batch.batch_id])
    return ChangedBatchOut(**BatchOut.of(batch).model_dump(), repricing=repricing)
