"""`/admin/tasks/dead-letters`: lists, retries and dismisses dead letters."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.audit.context import Audit, Origin
from api.deps import OpenResources
from api.openapi import problems
from api.route_class import ProblemRoute
from api.schemas.dead_letters import DeadLetterIds, DeadLetterShown, Dismissed
from api.schemas.operations import RetriedTask
from flexiprice.queue.admin.dead_letter_actions import dismiss, retry_letters
from flexiprice.queue.admin.dead_letters import MAX_LISTED, list_dead_letters

router = APIRouter(prefix="/tasks/dead-letters", tags=["tasks"], route_class=ProblemRoute)


@router.get("", name="list_dead_letters", responses=problems(401, 503))
async def get_dead_letters(
    resources: OpenResources,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED, description="Maximum number of dead letters.")] = 100,
) -> list[DeadLetterShown]:
    """Lists the dead letters, latest first."""
    letters = await list_dead_letters(resources.redis, limit=limit)
    return [DeadLetterShown.model_validate(letter) for letter in letters]


@router.post("/retry", responses=problems(401, 503))
async def retry_dead_letters(
    resources: OpenResources, audit: Audit, origin: Origin, body: DeadLetterIds
) -> list[RetriedTask]:
    """Retries dead letters: enqueues new tasks with the same arguments, and removes the dead letters.

    With `all`, up to a thousand are retried per request; those that cannot be retried are skipped.
    """
    async with audit(", ".join(body.wanted or ["all"])) as details:
        answers = await retry_letters(resources.tasks, body.wanted, origin=origin)
        details["new_task_ids"] = {answer.job_id: answer.new_job_id for answer in answers}
    return [RetriedTask.of(answer) for answer in answers]


@router.post("/dismiss", responses=problems(401, 503))
async def dismiss_dead_letters(resources: OpenResources, audit: Audit, body: DeadLetterIds) -> Dismissed:
    """Takes tasks off the list for good; the run history keeps them."""
    async with audit(", ".join(body.wanted or ["all"])) as details:
        dismissed = await dismiss(resources.tasks, body.wanted)
        details["dismissed"] = dismissed
    return Dismissed(dismissed=dismissed)
