"""`/admin/tasks`: running, watching and stopping tasks."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.audit.context import Audit, Origin
from api.deps import OpenResources, TaskPath
from api.event_stream import EVENT_STREAM, status_events
from api.openapi import Responses, problems
from api.route_class import ProblemRoute
from api.schemas.operations import (
    NewTask,
    NextTick,
    RegisteredTask,
    RetriedTask,
    RevokedTask,
    ScheduledTasks,
    TaskDetails,
    TaskIds,
)
from api.schemas.tasks import StartedTask
from api.schemas.workers import Purged
from api.security.authentication import KeyAuthenticator
from api.security.scopes import holder_in
from api.urls import status_url
from flexiprice.errors import Conflict, NotFound, QueueFull
from flexiprice.queue.admin.inspect import (
    MAX_LISTED_JOBS,
    get_declared_task,
    list_active,
    list_deferred,
    list_registered,
)
from flexiprice.queue.admin.retry import RetryOutcome, retry_jobs
from flexiprice.queue.admin.revoke import RevokeOutcome, purge, revoke_jobs
from flexiprice.queue.admin.schedules import list_schedules
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Queue

router = APIRouter(prefix="/tasks", tags=["tasks"], route_class=ProblemRoute)

_NOT_CONFIRMED: Final[Responses] = {
    202: {"model": RevokedTask, "description": "It was told to stop; nobody has confirmed it."}
}


@router.get("/active", responses=problems(401, 503))
async def list_active_tasks(resources: OpenResources) -> list[TaskDetails]:
    """Lists the tasks that run now, those that have run longest first."""
    return [TaskDetails.of_job(job) for job in await list_active(resources.tasks)]


@router.get("/scheduled", responses=problems(401, 503))
async def list_scheduled_tasks(
    resources: OpenResources,
    limit: Annotated[
        int, Query(ge=1, le=MAX_LISTED_JOBS, description="At most so many deferred tasks.")
    ] = 100,
) -> ScheduledTasks:
    """Lists the tasks that are not due yet, and when each schedule ticks next."""
    deferred = await list_deferred(resources.tasks, limit=limit)
    schedules = await list_schedules(resources.tasks)
    return ScheduledTasks(
        deferred=[TaskDetails.of_job(job) for job in deferred],
        ticks=[
            NextTick(
                name=schedule.name,
                task=schedule.task,
                next_tick_at=schedule.next_tick_at,
                paused=schedule.paused_at is not None,
            )
            for schedule in sorted(schedules, key=lambda schedule: schedule.next_tick_at)
        ],
    )


@router.get("/registered", responses=problems(401, 503))
async def list_registered_tasks(resources: OpenResources) -> list[RegisteredTask]:
    """Lists the tasks that live workers declare, and which workers do."""
    registered = await list_registered(resources.tasks)
    return [RegisteredTask(task=task, worker_ids=list(workers)) for task, workers in registered.items()]


@router.post("", status_code=202, responses=problems(401, 503))
async def run_task(
    resources: OpenResources,
    request: Request,
    response: Response,
    origin: Origin,
    audit: Audit,
    body: NewTask,
) -> StartedTask:
    """Enqueues a task by its name."""
    task = await get_declared_task(resources.tasks, body.task)
    async with audit(task.name) as details:
        job = await resources.tasks.enqueue(
            task,
            arguments=body.arguments,
            defer_by=_duration(body.defer_by),
            expires=_duration(body.expires),
            origin=origin,
        )
        details |= {"task": job.task, "task_id": job.job_id}
    url = status_url(request, job.job_id)
    response.headers["Location"] = url
    status = JobStatus.DEFERRED if body.defer_by else JobStatus.QUEUED
    return StartedTask(task_id=job.job_id, status=status, status_url=url)


@router.post("/revoke", responses=problems(401, 503))
async def revoke_tasks(resources: OpenResources, audit: Audit, body: TaskIds) -> list[RevokedTask]:
    """Calls tasks off, whether they wait or run, and says of each what came of it.

    It waits some seconds for those that run to stop.
    """
    async with audit(", ".join(body.task_ids)) as details:
        answers = await revoke_jobs(resources.tasks, body.task_ids)
        details["outcomes"] = {answer.job_id: answer.outcome.value for answer in answers}
    return [RevokedTask.of(answer) for answer in answers]


@router.post("/retry", responses=problems(401, 503))
async def retry_tasks(
    resources: OpenResources, audit: Audit, origin: Origin, body: TaskIds
) -> list[RetriedTask]:
    """Enqueues anew, with the same arguments, tasks that have ended; each new one names its parent."""
    async with audit(", ".join(body.task_ids)) as details:
        answers = await retry_jobs(resources.tasks, body.task_ids, origin=origin)
        details["new_task_ids"] = {answer.job_id: answer.new_job_id for answer in answers}
    return [RetriedTask.of(answer) for answer in answers]


@router.post("/purge", responses=problems(401, 503))
async def purge_tasks(
    resources: OpenResources,
    audit: Audit,
    queue: Annotated[Queue | None, Query(description="Only this queue.")] = None,
) -> Purged:
    """Calls off every task that waits, deferred ones included; those that run go on."""
    queues = tuple(Queue) if queue is None else (queue,)
    async with audit(", ".join(queues)) as details:
        purged = await purge(resources.tasks, queues)
        details["purged"] = {name.value: count for name, count in purged.items()}
    return Purged(purged=sum(purged.values()), by_queue=purged)


@router.get("/{task_id}", responses=problems(401, 404, 503))
async def get_task(resources: OpenResources, task_id: TaskPath) -> TaskDetails:
    """What is known of a task, and what had it enqueued."""
    try:
        return TaskDetails.of_job(await resources.tasks.status(task_id))
    except NotFound:
        raise _no_task(task_id) from None


@router.get(
    "/{task_id}/events",
    response_class=StreamingResponse,
    responses={**problems(401, 404, 503), 200: EVENT_STREAM},
)
async def stream_task_events(
    resources: OpenResources, request: Request, task_id: TaskPath
) -> StreamingResponse:
    """Streams what is known of a task, at once and whenever that changes, until it has ended.

    Server-Sent Events: each `status` event holds the task as `/admin/tasks/{task_id}` shows it; the one in
    which `ready` is true is the last. The stream ends with the key that opened it.
    """
    key_check: KeyAuthenticator = request.app.state.key_check
    holder = holder_in(request.scope)

    async def may_go_on() -> bool:
        return holder is None or await key_check.still_opens(holder)

    try:
        await resources.tasks.status(task_id)
    except NotFound:
        raise _no_task(task_id) from None
    return StreamingResponse(
        status_events(resources.tasks, task_id, may_go_on),
        media_type="text/event-stream",
        # A proxy that collects the answer would show nothing before the end.
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.post("/{task_id}/revoke", responses={**problems(401, 404, 503), **_NOT_CONFIRMED})
async def revoke_task(
    resources: OpenResources, audit: Audit, response: Response, task_id: TaskPath
) -> RevokedTask:
    """Calls a task off: one that waits never starts, one that runs is cancelled.

    It waits some seconds for one that runs to stop; where it has not by then, the answer is 202.
    """
    async with audit() as details:
        (answer,) = await revoke_jobs(resources.tasks, [task_id])
        if answer.outcome is RevokeOutcome.UNKNOWN:
            raise _no_task(task_id)
        details["outcome"] = answer.outcome.value
    if answer.outcome is RevokeOutcome.ASKED:
        response.status_code = 202
    return RevokedTask.of(answer)


@router.post("/{task_id}/retry", status_code=202, responses=problems(401, 404, 409, 503))
async def retry_task(
    resources: OpenResources, audit: Audit, origin: Origin, task_id: TaskPath
) -> RetriedTask:
    """Enqueues anew, with the same arguments, a task that has ended; the new one names it as its parent."""
    async with audit() as details:
        (answer,) = await retry_jobs(resources.tasks, [task_id], origin=origin)
        match answer.outcome:
            case RetryOutcome.UNKNOWN:
                raise _no_task(task_id)
            case RetryOutcome.REFUSED:
                raise QueueFull(answer.message)
            case RetryOutcome.NOT_ENDED | RetryOutcome.UNREADABLE:
                raise Conflict(answer.message)
            case RetryOutcome.ENQUEUED:
                details["new_task_id"] = answer.new_job_id
    return RetriedTask.of(answer)


def _no_task(task_id: str) -> NotFound:
    return NotFound(f"there is no task {task_id!r}, or its result is no longer kept")


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
