"""`/admin/schedules`: lists, pauses, resumes and runs schedules."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.audit.context import Perform, Source
from api.deps import OpenResources
from api.openapi import problems
from api.route_class import ProblemRoute
from api.schemas.tasks import EnqueuedTaskOut
from api.schemas.workers import ScheduleOut
from api.urls import status_url
from flexiprice.errors import NotFound
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.schedules import list_schedules
from flexiprice.queue.status import JobStatus

router = APIRouter(prefix="/schedules", tags=["schedules"], route_class=ProblemRoute)

SchedulePath = Annotated[
    str, Path(max_length=200, description="Name of the schedule.", examples=["recompute_all_discounts"])
]


@router.get("", name="list_schedules", responses=problems(401, 503))
async def get_schedules(resources: OpenResources) -> list[ScheduleOut]:
    """Lists the schedules of live workers, with the next tick of each and whether it is paused."""
    return [ScheduleOut.of_state(state) for state in await list_schedules(resources.tasks)]


@router.post("/{name}/pause", name="pause_schedule", responses=problems(401, 404, 503))
async def pause_one_schedule(
    resources: OpenResources, perform: Perform, source: Source, name: SchedulePath
) -> ScheduleOut:
    """Pauses a schedule on all workers: its ticks enqueue nothing until it is resumed."""
    await perform(operations.pause_schedule(name, by=source.actor or ""))
    return await _shown(resources, name)


@router.post("/{name}/resume", name="resume_schedule", responses=problems(401, 404, 503))
async def resume_one_schedule(resources: OpenResources, perform: Perform, name: SchedulePath) -> ScheduleOut:
    """Resumes a schedule; ticks that were missed while it was paused are not run."""
    await perform(operations.resume_schedule(name))
    return await _shown(resources, name)


@router.post("/{name}/run", name="run_schedule", status_code=202, responses=problems(401, 404, 503))
async def run_one_schedule(
    perform: Perform, source: Source, request: Request, response: Response, name: SchedulePath
) -> EnqueuedTaskOut:
    """Enqueues a schedule's task now, even if it is paused; its ticks do not change."""
    job = await perform(operations.run_schedule(name, source=source))
    url = status_url(request, job.job_id)
    response.headers["Location"] = url
    return EnqueuedTaskOut(task_id=job.job_id, status=JobStatus.QUEUED, status_url=url)


async def _shown(resources: OpenResources, name: str) -> ScheduleOut:
    states = {state.name: state for state in await list_schedules(resources.tasks)}
    if name not in states:
        raise NotFound(f"no live worker has the schedule {name!r} any more", field="schedule")
    return ScheduleOut.of_state(states[name])
