"""`/admin/stores`: lists, creates, changes and deletes stores."""

from fastapi import APIRouter, Request, Response

from api.deps import StorePath, Transaction, read_as_of
from api.openapi import problems
from api.paging import BY_CODE, ChangedSince, ChangePage, Cursor, Limit, change_page
from api.reprice_after_commit import Reprice
from api.route_class import ProblemRoute
from api.schemas.catalogue import ChangedStoreOut, StoreCreate, StoreOut, StoreUpdate
from api.urls import ADMIN, address
from flexiprice.catalog import stores

router = APIRouter(prefix="/stores", tags=["stores"], route_class=ProblemRoute)


@router.get("", responses=problems(401, 503))
async def list_stores(
    transaction: Transaction,
    changed_since: ChangedSince = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> ChangePage[StoreOut]:
    """Lists stores by code."""
    async with transaction() as session:
        as_of = await read_as_of(session, cursor)
        found = await stores.list_stores(
            session, changed_since=changed_since, after=BY_CODE.read(cursor), limit=limit + 1
        )
    page = BY_CODE.page(found, limit, item=StoreOut.of, place=lambda store: store.code)
    return change_page(page, as_of)


@router.post("", status_code=201, responses=problems(401, 409, 503))
async def create_store(
    transaction: Transaction, request: Request, response: Response, body: StoreCreate
) -> StoreOut:
    """Creates a store."""
    async with transaction() as session:
        store = await stores.create_store(session, code=body.code, time_zone=body.time_zone)
    response.headers["Location"] = address(request, f"{ADMIN}/stores/{store.code}")
    return StoreOut.of(store)


@router.get("/{store}", responses=problems(401, 404, 503))
async def get_store(transaction: Transaction, store: StorePath) -> StoreOut:
    """Reads a store."""
    async with transaction() as session:
        return StoreOut.of(await stores.get_store(session, store))


@router.patch("/{store}", responses=problems(401, 404, 503))
async def change_store(
    transaction: Transaction, reprice: Reprice, store: StorePath, body: StoreUpdate
) -> ChangedStoreOut:
    """Changes a store's time zone, and enqueues a recompute: its dates and prices may change."""
    async with transaction() as session:
        changed = await stores.change_store(session, store, time_zone=body.time_zone)
    shown = StoreOut.of(changed)
    return ChangedStoreOut(**shown.model_dump(), repricing=await reprice.reprice_all())


@router.delete("/{store}", status_code=204, responses=problems(401, 404, 409, 503))
async def delete_store(transaction: Transaction, store: StorePath) -> None:
    """Deletes a store that has no batches and no price history; `main` always exists."""
    async with transaction() as session:
        await stores.delete_store(session, store)
