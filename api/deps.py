"""Dependencies of endpoints: transactions, the task queue, the settings, and common parameters."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.context import audit_event_for
from api.transactions import Transactions
from flexiprice.access.audit_log import record_audit
from flexiprice.db.changed_since import changes_complete_until
from flexiprice.db.work import Work
from flexiprice.domain.catalog import MAX_BATCH_ID, CategoryName, Sku, StoreCode
from flexiprice.queue.client import MAX_JOB_ID_LENGTH
from flexiprice.resources import Resources

_READS = frozenset({"GET", "HEAD"})
_MAX_VERSION = 2_147_483_647


async def _resources(request: Request) -> Resources:
    resources = request.app.state.resources
    if not isinstance(resources, Resources):
        raise TypeError("the application was not started: its lifespan opens the resources")
    return resources


OpenResources = Annotated[Resources, Depends(_resources)]


async def read_as_of(session: AsyncSession, cursor: str | None) -> datetime | None:
    """Returns until when changes are complete, on the first page; must be called before reading rows."""
    return None if cursor is not None else await changes_complete_until(session)


Opening = Callable[[], AbstractAsyncContextManager[AsyncSession]]


def _opening(request: Request, work: Work) -> Opening:
    transactions: Transactions = request.app.state.transactions
    endpoint = f"{request.method} {request.scope['route'].path}"

    @asynccontextmanager
    async def transaction() -> AsyncGenerator[AsyncSession, None]:
        async with transactions.begin(work, endpoint=endpoint) as session:
            yield session
            # In the same transaction, so that change and audit entry are committed together.
            event = audit_event_for(request)
            if event is not None:
                await record_audit(session, [event])

    return transaction


async def _transactions(request: Request) -> Opening:
    return _opening(request, Work.READ if request.method in _READS else Work.WRITE)


async def _bulk_transactions(request: Request) -> Opening:
    return _opening(request, Work.RECOMPUTE)


# The endpoint opens it, so that it is committed before anything is enqueued or answered.
Transaction = Annotated[Opening, Depends(_transactions)]
# The same for work on whole tables, with the timeouts of a recompute.
BulkTransaction = Annotated[Opening, Depends(_bulk_transactions)]

TaskPath = Annotated[
    str,
    Path(
        max_length=MAX_JOB_ID_LENGTH,
        description="Id of the task.",
        examples=["0b9f5e3c6a7d4f21a8c94e5d6f7a8b9c"],
    ),
]
StorePath = Annotated[StoreCode, Path(description="Code of the store.", examples=["main"])]
SkuPath = Annotated[Sku, Path(description="The product's code.", examples=["BREAD-RYE-1"])]
BatchPath = Annotated[int, Path(ge=1, le=MAX_BATCH_ID, description="Id of the batch.", examples=[4711])]
VersionPath = Annotated[int, Path(ge=1, le=_MAX_VERSION, description="Number of the version.", examples=[3])]
StoreFilter = Annotated[StoreCode | None, Query(description="Limits the list to the store with this code.")]
CategoryFilter = Annotated[
    CategoryName | None, Query(description="Limits the list to this category, in any spelling.")
]
ExpiringFilter = Annotated[
    int | None,
    Query(ge=0, le=36500, description="Limits the list to batches that expire within so many days."),
]
