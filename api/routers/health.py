"""`/health`: liveness and readiness."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.deps import OpenResources
from api.route_class import ProblemRoute
from api.schemas.health import Check, Liveness, Readiness, ReadinessStatus
from api.transactions import Transactions
from flexiprice.db.migrate import is_current
from flexiprice.errors import DatabaseBusy, FlexiPriceError
from flexiprice.queue.admin.broker_info import probe_writes
from flexiprice.telemetry import get_logger

router = APIRouter(prefix="/health", tags=["health"], route_class=ProblemRoute)

# Probes time out early and repeat soon.
_CHECK_TIMEOUT_SECONDS: Final = 3.0

_LOGGER = get_logger(__name__)


@router.head("/live", include_in_schema=False)
@router.get("/live")
async def get_liveness() -> Liveness:
    """Reports that the process answers; checks nothing else."""
    return Liveness()


@router.head("/ready", include_in_schema=False)
@router.get("/ready", responses={503: {"model": Readiness, "description": "A dependency is not ready."}})
async def get_readiness(resources: OpenResources, request: Request, response: Response) -> Readiness:
    """Checks the database, its writes and migrations, Redis, and that a worker lives."""
    transactions: Transactions = request.app.state.transactions

    async def database() -> Check:
        async with transactions.for_health() as session:
            await session.execute(text("SELECT 1"))
        return Check(ok=True, detail="PostgreSQL answers")

    async def writes() -> Check:
        await transactions.require_writable()
        return Check(ok=True, detail="PostgreSQL accepts writes")

    async def migrations() -> Check:
        try:
            async with transactions.for_health() as session:
                if await is_current(session):
                    return Check(ok=True, detail="the schema is up to date")
        except DatabaseBusy:
            # A lock on one table must not make all instances unready.
            return Check(ok=True, detail="the schema's version is locked and was not checked")
        return Check(ok=False, detail="the schema is not up to date: run `flexiprice migrate`")

    async def redis() -> Check:
        await probe_writes(resources.redis)
        return Check(ok=True, detail="Redis answers")

    async def worker() -> Check:
        workers = await resources.tasks.live_workers()
        if not workers:
            return Check(ok=False, detail="no worker lives: start one, `flexiprice worker`")
        return Check(ok=True, detail=f"workers alive: {len(workers)}")

    needed = {
        "database": database,
        "writes": writes,
        "migrations": migrations,
        "redis": redis,
        "worker": worker,
    }
    found = await asyncio.gather(*(_checked(name, check) for name, check in needed.items()))
    checks = dict(zip(needed, found, strict=True))
    ready = all(check.ok for check in found)
    response.status_code = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    status = ReadinessStatus.READY if ready else ReadinessStatus.NOT_READY
    return Readiness(status=status, checks=checks)


async def _checked(name: str, check: Callable[[], Awaitable[Check]]) -> Check:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_SECONDS):
            return await check()
    except FlexiPriceError as error:
        _LOGGER.warning("readiness_check_failed", check=name, reason=error.message)
        return Check(ok=False, detail=_without_particulars(error))
    except TimeoutError:
        return Check(ok=False, detail="does not answer in time")
    except (SQLAlchemyError, RedisError):
        _LOGGER.exception("readiness_check_failed", check=name)
        return Check(ok=False, detail="the check failed; the server's log has the reason")


def _without_particulars(error: FlexiPriceError) -> str:
    # Readiness is public, so hosts and users appear only in the log. Messages about PostgreSQL's codes and
    # error replies of Redis contain neither.
    if error.details.get("sqlstate") or error.details.get("answers"):
        return error.message
    return {
        "database_unavailable": "PostgreSQL does not answer",
        "database_busy": "PostgreSQL is busy",
        "redis_unavailable": "Redis does not answer",
    }.get(error.code, "the check failed; the server's log has the reason")
