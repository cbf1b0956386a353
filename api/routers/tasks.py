"""`/admin/tasks`: enqueues, lists, follows, retries and revokes tasks."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.audit.context import Perform, Source
from api.deps import OpenResources, TaskPath
from api.event_stream import EVENT_STREAM, status_events
from api.openapi import Responses, problems
from api.route_class import ProblemRoute
from api.schemas.operations import (
    NextTickOut,
    RegisteredTaskOut,
    RetriedTaskOut,
    RevokedTaskOut,
    ScheduledTasksOut,
    TaskCreate,
    TaskDetailsOut,
    TaskIds,
)
from api.schemas.tasks import EnqueuedTaskOut
from api.schemas.workers import PurgedOut
from api.security.authentication import KeyAuthenticator
from api.security.scopes import holder_in
from api.urls import status_url
from flexiprice.errors import NotFound
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.inspect import (
    MAX_LISTED_JOBS,
    get_declared_task,
    list_active,
    list_deferred,
    list_registered,
)
from flexiprice.queue.admin.revoke import RevokeOutcome
from flexiprice.queue.admin.schedules import list_schedules
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Queue

router = APIRouter(prefix="/tasks", tags=["tasks"], route_class=ProblemRoute)

_NOT_CONFIRMED: Final[Responses] = {
    202: {
        "model": RevokedTaskOut,
        "description": "Cancellation was requested; no worker has confirmed it yet.",
    }
}


@router.get("/active", responses=problems(401, 503))
async def list_active_tasks(resources: OpenResources) -> list[TaskDetailsOut]:
    """Lists the running tasks, longest running first."""
    return [TaskDetailsOut.of_job(job) for job in await list_active(resources.tasks)]


@router.get("/scheduled", responses=problems(401, 503))
async def list_scheduled_tasks(
    resources: OpenResources,
    limit: Annotated[
        int, Query(ge=1, le=MAX_LISTED_JOBS, description="Maximum number of deferred tasks.")
    ] = 100,
) -> ScheduledTasksOut:
    """Lists the deferred tasks, and the next tick of each schedule."""
    deferred = await list_deferred(resources.tasks, limit=limit)
    schedules = await list_schedules(resources.tasks)
    return ScheduledTasksOut(
        deferred=[TaskDetailsOut.of_job(job) for job in deferred],
        ticks=[
            NextTickOut(
                name=schedule.name,
                task=schedule.task,
                next_tick_at=schedule.next_tick_at,
                paused=schedule.paused_at is not None,
            )
            for schedule in sorted(schedules, key=lambda schedule: schedule.next_tick_at)
        ],
    )


@router.get("/registered", responses=problems(401, 503))
async def list_registered_tasks(resources: OpenResources) -> list[RegisteredTaskOut]:
    """Lists the tasks that live workers declare, with the workers of each."""
    registered = await list_registered(resources.tasks)
    return [RegisteredTaskOut(task=task, worker_ids=list(workers)) for task, workers in registered.items()]


@router.post("", status_code=202, responses=problems(401, 503))
async def run_task(
    resources: OpenResources,
    request: Request,
    response: Response,
    source: Source,
    perform: Perform,
    body: TaskCreate,
) -> EnqueuedTaskOut:
    """Enqueues a task by its name."""
    task = await get_declared_task(resources.tasks, body.task)
    job = await perform(
        operations.run_task(
            task,
            body.arguments,
            defer_by=_duration(body.defer_by),
            expires=_duration(body.expires),
            source=source,
        )
    )
    url = status_url(request, job.job_id)
    response.headers["Location"] = url
    status = JobStatus.DEFERRED if body.defer_by else JobStatus.QUEUED
    return EnqueuedTaskOut(task_id=job.job_id, status=status, status_url=url)


@router.post("/revoke", responses=problems(401, 503))
async def revoke_tasks(perform: Perform, body: TaskIds) -> list[RevokedTaskOut]:
    """Revokes waiting and running tasks, and returns the outcome of each.

    Waits some seconds for running tasks to stop.
    """
    return [RevokedTaskOut.of(answer) for answer in await perform(operations.revoke_tasks(body.task_ids))]


@router.post("/retry", responses=problems(401, 503))
async def retry_tasks(perform: Perform, source: Source, body: TaskIds) -> list[RetriedTaskOut]:
    """Enqueues anew, with the same arguments, tasks that have ended; each new one names its parent."""
    answers = await perform(operations.retry_tasks(body.task_ids, source=source))
    return [RetriedTaskOut.of(answer) for answer in answers]


@router.post("/purge", responses=problems(401, 503))
async def purge_tasks(
    perform: Perform,
    queue: Annotated[Queue | None, Query(description="Limits the purge to this queue.")] = None,
) -> PurgedOut:
    """Revokes all waiting and deferred tasks; running tasks are not affected."""
    queues = tuple(Queue) if queue is None else (queue,)
    purged = await perform(operations.purge_tasks(queues))
    return PurgedOut(purged=sum(purged.values()), by_queue=purged)


@router.get("/{task_id}", responses=problems(401, 404, 503))
async def get_task(resources: OpenResources, task_id: TaskPath) -> TaskDetailsOut:
    """Reads a task's status, progress, result and source."""
    try:
        return TaskDetailsOut.of_job(await resources.tasks.status(task_id))
    except NotFound:
        raise operations.no_task(task_id) from None


@router.get(
    "/{task_id}/events",
    response_class=StreamingResponse,
    responses={**problems(401, 404, 503), 200: EVENT_STREAM},
)
async def stream_task_events(
    resources: OpenResources, request: Request, task_id: TaskPath
) -> StreamingResponse:
    """Streams a task's status at once and after each change, until the task has ended.

    Server-Sent Events: each `status` event contains the task like `/admin/tasks/{task_id}`; the last one has
    `ready` true. The stream ends when its API key is revoked or expires.
    """
    key_authenticator: KeyAuthenticator = request.app.state.key_authenticator
    holder = holder_in(request.scope)

    async def is_authorized() -> bool:
        return holder is None or await key_authenticator.still_opens(holder)

    try:
        await resources.tasks.status(task_id)
    except NotFound:
        raise operations.no_task(task_id) from None
    return StreamingResponse(
        status_events(resources.tasks, task_id, is_authorized),
        media_type="text/event-stream",
        # A buffering proxy would deliver nothing before the end.
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.post("/{task_id}/revoke", responses={**problems(401, 404, 503), **_NOT_CONFIRMED})
async def revoke_task(perform: Perform, response: Response, task_id: TaskPath) -> RevokedTaskOut:
    """Revokes a task: a waiting one never starts, a running one is cancelled.

    Waits some seconds for a running task to stop; responds with 202 if it has not stopped by then.
    """
    answer = await perform(operations.revoke_task(task_id))
    if answer.outcome is RevokeOutcome.ASKED:
        response.status_code = 202
    return RevokedTaskOut.of(answer)


@router.post("/{task_id}/retry", status_code=202, responses=problems(401, 404, 409, 503))
async def retry_task(perform: Perform, source: Source, task_id: TaskPath) -> RetriedTaskOut:
    """Retries an ended task: enqueues a new one with the same arguments, whose parent it is."""
    answer = await perform(operations.retry_task(task_id, source=source))
    return RetriedTaskOut.of(answer)


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
