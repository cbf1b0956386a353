"""`/admin/tasks/dead-letters`: lists, retries and dismisses dead letters."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.audit.context import Perform, Source
from api.deps import OpenResources
from api.openapi import problems
from api.route_class import ProblemRoute
from api.schemas.dead_letters import DeadLetterIds, DeadLetterOut, DismissedOut
from api.schemas.operations import RetriedTaskOut
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.dead_letters import MAX_LISTED, list_dead_letters

router = APIRouter(prefix="/tasks/dead-letters", tags=["tasks"], route_class=ProblemRoute)


@router.get("", name="list_dead_letters", responses=problems(401, 503))
async def get_dead_letters(
    resources: OpenResources,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED, description="Maximum number of dead letters.")] = 100,
) -> list[DeadLetterOut]:
    """Lists the dead letters, latest first."""
    letters = await list_dead_letters(resources.redis, limit=limit)
    return [DeadLetterOut.model_validate(letter) for letter in letters]


@router.post("/retry", responses=problems(401, 503))
async def retry_dead_letters(perform: Perform, source: Source, body: DeadLetterIds) -> list[RetriedTaskOut]:
    """Retries dead letters: enqueues new tasks with the same arguments, and removes the dead letters.

    With `all`, up to a thousand are retried per request; those that cannot be retried are skipped.
    """
    answers = await perform(operations.retry_dead_letters(body.wanted, source=source))
    return [RetriedTaskOut.of(answer) for answer in answers]


@router.post("/dismiss", responses=problems(401, 503))
async def dismiss_dead_letters(perform: Perform, body: DeadLetterIds) -> DismissedOut:
    """Takes tasks off the list for good; the run history keeps them."""
    return DismissedOut(dismissed=await perform(operations.dismiss_dead_letters(body.wanted)))
