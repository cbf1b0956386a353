"""`/admin/queues`: how much waits, and whether workers take it."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.audit.context import Audit, Origin
from api.deps import OpenResources
from api.openapi import problems
from api.route_class import ProblemRoute
from api.schemas.workers import Purged, QueueShown
from flexiprice.queue.admin.queues import get_queue, list_queues, pause_queue, resume_queue
from flexiprice.queue.admin.revoke import purge
from flexiprice.settings import Queue

router = APIRouter(prefix="/queues", tags=["queues"], route_class=ProblemRoute)

QueuePath = Annotated[Queue, Path(description="Name of the queue.", examples=["discounts"])]


@router.get("", name="list_queues", responses=problems(401, 503))
async def get_queues(resources: OpenResources) -> list[QueueShown]:
    """Lists the queues, and how much waits and runs in each."""
    return [QueueShown.of_state(state) for state in await list_queues(resources.tasks)]


@router.post("/{queue}/pause", name="pause_queue", responses=problems(401, 503))
async def pause_one_queue(
    resources: OpenResources, audit: Audit, origin: Origin, queue: QueuePath
) -> QueueShown:
    """Lets no worker take anything more from a queue; what runs goes on. A repeat changes nothing."""
    async with audit() as details:
        details["changed"] = await pause_queue(resources.tasks, queue, by=origin.actor or "")
    return QueueShown.of_state(await get_queue(resources.tasks, queue))


@router.post("/{queue}/resume", name="resume_queue", responses=problems(401, 503))
async def resume_one_queue(resources: OpenResources, audit: Audit, queue: QueuePath) -> QueueShown:
    """Lets workers take from a queue again, at once. A repeat changes nothing."""
    async with audit() as details:
        details["changed"] = await resume_queue(resources.tasks, queue)
    return QueueShown.of_state(await get_queue(resources.tasks, queue))


@router.post("/{queue}/purge", responses=problems(401, 503))
async def purge_queue(resources: OpenResources, audit: Audit, queue: QueuePath) -> Purged:
    """Calls off every task that waits in a queue, deferred ones included; those that run go on."""
    async with audit() as details:
        purged = await purge(resources.tasks, (queue,))
        details["purged"] = sum(purged.values())
    return Purged(purged=sum(purged.values()), by_queue=purged)
