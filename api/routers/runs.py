"""`/admin/tasks/runs`, `/admin/tasks/stats` and `/admin/audit`: run history, statistics, audit log."""

from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter

from api.deps import TaskPath, Transaction
from api.openapi import problems
from api.paging import BY_INSTANT, Cursor, Instant, Limit, Page, Places
from api.route_class import ProblemRoute
from api.schemas.runs import AuditEntryOut, RunDetailsOut, RunOut, TaskStatisticsOut
from flexiprice.access.audit_log import list_audit
from flexiprice.db.clock import database_now
from flexiprice.domain.audit import AuditOutcome
from flexiprice.domain.run import RunStatus
from flexiprice.runs import query as runs
from flexiprice.runs.statistics import get_run_statistics
from flexiprice.settings import Queue

router = APIRouter(prefix="/tasks", tags=["tasks"], route_class=ProblemRoute)
audit_router = APIRouter(prefix="/audit", tags=["audit"], route_class=ProblemRoute)

_BY_START: Final = Places(TypeAdapter[tuple[datetime, UUID]](tuple[Instant, UUID]))
_Text = Annotated[str | None, Query(min_length=1, max_length=200)]


@router.get("/runs", responses=problems(401, 503))
async def list_runs(
    *,
    transaction: Transaction,
    task: Annotated[_Text, Query(description="Limits the list to runs of this task.")] = None,
    queue: Annotated[Queue | None, Query(description="Limits the list to runs from this queue.")] = None,
    status: Annotated[
        list[RunStatus] | None, Query(max_length=10, description="Limits the list to these statuses.")
    ] = None,
    worker_id: Annotated[_Text, Query(description="Limits the list to runs on this worker.")] = None,
    since: Annotated[
        Instant | None, Query(description="Limits the list to runs that began at this instant or later.")
    ] = None,
    until: Annotated[
        Instant | None, Query(description="Limits the list to runs that began before this instant.")
    ] = None,
    text: Annotated[
        _Text,
        Query(description="Limits the list to runs with this text in arguments or error, in any case."),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[RunOut]:
    """Lists the recorded runs, latest first."""
    wanted = runs.RunFilter(
        task=task,
        queue=None if queue is None else queue.value,
        statuses=tuple(status or ()),
        worker_id=worker_id,
        since=since,
        until=until,
        text=text,
    )
    async with transaction() as session:
        found = await runs.list_runs(session, wanted, after=_BY_START.read(cursor), limit=limit + 1)
    return _BY_START.page(found, limit, item=RunOut.of_run, place=lambda run: (run.started_at, run.run_id))


@router.get("/runs/{run_id}", responses=problems(401, 404, 503))
async def get_run(
    transaction: Transaction, run_id: Annotated[UUID, Path(description="Id of the run.")]
) -> RunDetailsOut:
    """Reads a run, with the traceback of its exception."""
    async with transaction() as session:
        return RunDetailsOut.of_details(await runs.get_run(session, run_id))


@router.get("/stats", responses=problems(401, 503))
async def get_task_statistics(
    transaction: Transaction,
    task: Annotated[_Text, Query(description="Limits the result to this task.")] = None,
    hours: Annotated[float, Query(ge=0.01, le=8760, description="Length of the window in hours.")] = 24,
) -> list[TaskStatisticsOut]:
    """Computes statistics per task of recent runs: numbers by status, waits and durations."""
    async with transaction() as session:
        now = await database_now(session)
        figures = await get_run_statistics(session, since=now - timedelta(hours=hours), until=now, task=task)
    return [TaskStatisticsOut.of_statistics(of_task) for of_task in figures]


@router.get("/{task_id}/runs", responses=problems(401, 503))
async def list_task_runs(transaction: Transaction, task_id: TaskPath) -> list[RunDetailsOut]:
    """Lists the runs of one task, latest first: one per attempt."""
    if not task_id.isprintable():
        return []
    async with transaction() as session:
        return [RunDetailsOut.of_details(run) for run in await runs.list_attempts(session, task_id)]


@audit_router.get("", responses=problems(401, 503))
async def list_audit_entries(
    *,
    transaction: Transaction,
    actor: Annotated[_Text, Query(description="Only by this one.")] = None,
    action: Annotated[_Text, Query(description="Only of this kind.")] = None,
    target: Annotated[_Text, Query(description="Only to what has this in its name, in any case.")] = None,
    outcome: Annotated[AuditOutcome | None, Query(description="Only with this outcome.")] = None,
    address: Annotated[_Text, Query(description="Only from this address or machine.")] = None,
    since: Annotated[Instant | None, Query(description="Only then or later.")] = None,
    until: Annotated[Instant | None, Query(description="Only before.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[AuditEntryOut]:
    """Lists the entries of the audit log, latest first."""
    async with transaction() as session:
        found = await list_audit(
            session,
            actor=actor,
            action=action,
            target=target,
            outcome=outcome,
            address=address,
            since=since,
            until=until,
            after=BY_INSTANT.read(cursor),
            limit=limit + 1,
        )
    return BY_INSTANT.page(
        found, limit, item=AuditEntryOut.of_change, place=lambda change: (change.at, change.entry_id)
    )
