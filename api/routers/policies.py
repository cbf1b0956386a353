"""`/admin/policies`: stores, activates and rolls back versions of the pricing policy."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.deps import Transaction, VersionPath, read_as_of
from api.openapi import problems
from api.paging import BY_VERSION, ChangedSince, ChangePage, Cursor, Limit, change_page
from api.reprice_after_commit import NOT_NEEDED, Reprice, Repricer
from api.route_class import ProblemRoute
from api.schemas.policies import (
    ActivatedPolicyOut,
    CreatedPolicyOut,
    PolicyCreate,
    PolicyOut,
    PolicySummaryOut,
)
from api.urls import ADMIN, address
from flexiprice.db.clock import database_now
from flexiprice.domain.policy import parse_policy
from flexiprice.domain.policy_lint import Severity, lint_policy
from flexiprice.errors import InvalidPolicy, Problem
from flexiprice.pricing import policy_versions as policies
from flexiprice.pricing.policy_versions import PolicyVersion

router = APIRouter(prefix="/policies", tags=["policies"], route_class=ProblemRoute)

Recompute = Annotated[bool, Query(description="Whether to enqueue a recompute of all discounts.")]


@router.get("", responses=problems(401, 503))
async def list_policies(
    transaction: Transaction,
    changed_since: ChangedSince = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> ChangePage[PolicySummaryOut]:
    """Lists the versions, newest first."""
    async with transaction() as session:
        as_of = await read_as_of(session, cursor)
        found = await policies.list_policies(
            session, changed_since=changed_since, before=BY_VERSION.read(cursor), limit=limit + 1
        )
    page = BY_VERSION.page(found, limit, item=PolicySummaryOut.of, place=lambda version: version.version)
    return change_page(page, as_of)


@router.post("", status_code=201, responses=problems(401, 503))
async def create_policy(
    transaction: Transaction, request: Request, response: Response, body: PolicyCreate
) -> CreatedPolicyOut:
    """Stores a policy as the next version, without activating it; rejects it if the linter finds an error."""
    policy = parse_policy(body.policy)
    # Linting thousands of rules takes seconds, which must not block the event loop.
    findings = await asyncio.to_thread(lint_policy, policy)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise InvalidPolicy([Problem(", ".join(error.rules), error.message) for error in errors])
    async with transaction() as session:
        version = await policies.create_policy(session, policy, comment=body.comment)
    response.headers["Location"] = address(request, f"{ADMIN}/policies/{version.version}")
    return CreatedPolicyOut.of_linted(version, findings)


@router.get("/active", responses=problems(401, 503))
async def get_active_policy(transaction: Transaction) -> PolicyOut:
    """Reads the active version."""
    async with transaction() as session:
        return PolicyOut.of_version(await policies.get_active_policy(session))


@router.post("/roll-back", responses=problems(401, 409, 503))
async def roll_back_policy(
    transaction: Transaction, reprice: Reprice, recompute: Recompute = True
) -> ActivatedPolicyOut:
    """Activates the previously active version; a second call undoes the first."""
    async with transaction() as session:
        version = await policies.roll_back_policy(session, now=await database_now(session))
    return await _activated(version, reprice, recompute=recompute)


@router.get("/{version:int}", responses=problems(401, 404, 503))
async def get_policy(transaction: Transaction, version: VersionPath) -> PolicyOut:
    """Reads a version."""
    async with transaction() as session:
        return PolicyOut.of_version(await policies.get_policy(session, version))


@router.post("/{version:int}/activate", responses=problems(401, 404, 503))
async def activate_policy(
    transaction: Transaction, reprice: Reprice, version: VersionPath, recompute: Recompute = True
) -> ActivatedPolicyOut:
    """Activates a version."""
    async with transaction() as session:
        activated = await policies.activate_policy(session, version, now=await database_now(session))
    return await _activated(activated, reprice, recompute=recompute)


async def _activated(version: PolicyVersion, reprice: Repricer, *, recompute: bool) -> ActivatedPolicyOut:
    repricing = await reprice.reprice_all() if recompute else NOT_NEEDED
    return ActivatedPolicyOut(**PolicySummaryOut.of(version).model_dump(), repricing=repricing)
