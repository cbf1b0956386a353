"""`/admin/workers`: lists, drains and stops workers."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from api.audit.context import Perform
from api.deps import OpenResources
from api.openapi import Responses, problems
from api.route_class import ProblemRoute
from api.schemas.workers import CommandedWorkerOut, WorkerOut
from flexiprice.queue.admin.operations import drain_or_stop_worker
from flexiprice.queue.worker.heartbeat import WorkerCommand

router = APIRouter(prefix="/workers", tags=["workers"], route_class=ProblemRoute)

WorkerPath = Annotated[
    str, Path(max_length=200, description="Id of the worker.", examples=["shop-1-4711-0a1b2c"])
]
_NOT_CONFIRMED: Final[Responses] = {
    202: {"model": CommandedWorkerOut, "description": "It did not answer; the command was withdrawn."}
}


@router.get("", responses=problems(401, 503))
async def list_workers(resources: OpenResources) -> list[WorkerOut]:
    """Lists the live workers with the state of their last heartbeat."""
    return [WorkerOut.of_worker(worker) for worker in await resources.tasks.live_workers()]


@router.post("/{worker_id}/drain", responses={**problems(401, 404, 503), **_NOT_CONFIRMED})
async def drain_worker(perform: Perform, response: Response, worker_id: WorkerPath) -> CommandedWorkerOut:
    """Drains a worker: it claims no more tasks, finishes the running ones without a time limit, and exits."""
    return await _command(perform, response, worker_id, WorkerCommand.DRAIN)


@router.post("/{worker_id}/stop", responses={**problems(401, 404, 503), **_NOT_CONFIRMED})
async def stop_worker(perform: Perform, response: Response, worker_id: WorkerPath) -> CommandedWorkerOut:
    """Stops a worker like SIGTERM: tasks that do not finish within its grace period are requeued at once."""
    return await _command(perform, response, worker_id, WorkerCommand.STOP)


async def _command(
    perform: Perform, response: Response, worker_id: str, command: WorkerCommand
) -> CommandedWorkerOut:
    confirmed = await perform(drain_or_stop_worker(worker_id, command))
    if not confirmed:
        response.status_code = 202
    message = "it takes no more tasks" if confirmed else "it did not answer; the command was withdrawn"
    return CommandedWorkerOut(worker_id=worker_id, confirmed=confirmed, message=message)
