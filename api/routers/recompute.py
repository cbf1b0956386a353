"""`/admin/discounts`: triggers a recompute, and reads the status of its task."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from api.audit.buffer import AuditBuffer
from api.audit.context import Source, add_audit_details, audit_event_for
from api.deps import BulkTransaction, OpenResources, TaskPath
from api.openapi import problems
from api.route_class import ProblemRoute
from api.schemas.discounts import FinishedRecomputeOut, RecomputeSummaryOut
from api.schemas.tasks import EnqueuedTaskOut, TaskStatusOut
from api.urls import status_url
from flexiprice.db.clock import database_now
from flexiprice.errors import NotFound
from flexiprice.pricing.recompute import recompute_all_discounts
from flexiprice.queue.admin.operations import no_task
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS
from flexiprice.queue.status import JobStatus

router = APIRouter(prefix="/discounts", tags=["discounts"], route_class=ProblemRoute)

DaysThreshold = Annotated[
    int | None,
    Query(
        ge=1,
        le=365,
        description="Days before expiry from which on a batch may get a discount; "
        "by default `FLEXIPRICE_DAYS_THRESHOLD`, 30.",
        examples=[30],
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Idempotency key: a repeated request returns the task of the first one, "
        "for as long as its result is kept.",
    ),
]


@router.post(
    "/trigger-recompute",
    status_code=202,
    response_model=EnqueuedTaskOut,
    responses={
        **problems(401, 409, 503),
        200: {"model": FinishedRecomputeOut, "description": "It ran in the request (`async_task=false`)."},
        202: {"description": "It was enqueued, now or by a request with the same `Idempotency-Key`."},
    },
)
async def trigger_recompute(
    *,
    resources: OpenResources,
    transaction: BulkTransaction,
    request: Request,
    response: Response,
    source: Source,
    days_threshold: DaysThreshold = None,
    async_task: Annotated[
        bool, Query(description="Whether a worker does it; false does it in the request, without Redis.")
    ] = True,
    idempotency_key: IdempotencyKey = None,
) -> EnqueuedTaskOut | Response:
    """Recomputes all discounts by the active policy: opens, changes and closes them."""
    threshold = days_threshold or resources.settings.days_threshold
    if not async_task:
        async with transaction() as session:
            add_audit_details(request, target=RECOMPUTE_ALL_DISCOUNTS.name)
            now = await database_now(session)
            summary = await recompute_all_discounts(session, now=now, days_threshold=threshold)
        finished = FinishedRecomputeOut(status=JobStatus.SUCCEEDED, result=RecomputeSummaryOut.of(summary))
        return Response(finished.model_dump_json(), media_type="application/json")
    job = await resources.tasks.enqueue(
        RECOMPUTE_ALL_DISCOUNTS,
        arguments={"days_threshold": threshold},
        job_id=None if idempotency_key is None else _job_id_of(idempotency_key),
        source=source,
    )
    status = JobStatus.QUEUED
    event = audit_event_for(request, RECOMPUTE_ALL_DISCOUNTS.name)
    if job.created and event is not None:
        # Buffered, so that triggering neither waits for the database nor requires it.
        buffer: AuditBuffer = request.app.state.audit_buffer
        buffer.add(replace(event, details={**event.details, "task_id": job.job_id}))
    if not job.created:
        status = (await resources.tasks.status(job.job_id)).status
    url = status_url(request, job.job_id)
    response.headers["Location"] = url
    return EnqueuedTaskOut(task_id=job.job_id, status=status, status_url=url)


@router.get("/task-status/{task_id}", responses=problems(401, 404, 503))
async def get_task_status(
    resources: OpenResources,
    task_id: TaskPath,
    wait: Annotated[
        float, Query(ge=0, le=30, description="Longest wait for the task to end, in seconds.")
    ] = 0,
) -> TaskStatusOut:
    """Reads the status of a task; with `wait`, responds as soon as the task has ended."""
    try:
        return TaskStatusOut.of_job(await resources.tasks.wait(task_id, timedelta(seconds=wait)))
    except NotFound:
        raise no_task(task_id) from None


def _job_id_of(idempotency_key: str) -> str:
    # Maps any key to an id of fixed length and valid characters.
    return f"recompute-{hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]}"
