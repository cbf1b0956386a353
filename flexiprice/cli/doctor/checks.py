"""Checks of settings, PostgreSQL and Redis, and the list of all checks of `flexiprice doctor`."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.cli.doctor.clock_checks import (
    check_own_clock,
    check_schedules,
    check_server_clocks,
    check_worker_clocks,
)
from flexiprice.cli.doctor.findings import Finding, Health
from flexiprice.cli.doctor.queue_checks import (
    check_dead_letters,
    check_default_queue,
    check_queues,
    check_undeclared,
    check_workers,
)
from flexiprice.cli.doctor.run_checks import check_runs
from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.db.migrate import is_current
from flexiprice.db.partitions import count_missing_partitions
from flexiprice.db.probe import limit_waits, require_writable
from flexiprice.errors import DatabaseUnavailable, FlexiPriceError, InvalidSettings, RedisUnavailable
from flexiprice.plurals import counted
from flexiprice.queue.admin.broker_info import (
    BrokerRisk,
    find_broker_info,
    probe_publishing,
    probe_writes,
    read_broker_version,
)
from flexiprice.queue.admin.dead_letters import count_dead_letters
from flexiprice.queue.admin.inspect import list_undeclared
from flexiprice.queue.admin.queues import list_queues
from flexiprice.queue.admin.schedules import list_schedules
from flexiprice.queue.arq import ArqRedis, to_unix_ms
from flexiprice.queue.broker import open_job_broker
from flexiprice.queue.default_queue import count_unrouted
from flexiprice.queue.redis.clock import redis_now
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.resources import open_database
from flexiprice.settings import Settings, unknown_variables

OLDEST_POSTGRESQL = 15
_PROGRAM = "flexiprice-doctor"
# Workers route the jobs of arq's default queue every second.
_ROUTED_WITHIN = timedelta(seconds=10)


def check_variables() -> list[Finding]:
    """Finds environment variables with FlexiPrice's prefix that no setting reads."""
    unknown = unknown_variables()
    if not unknown:
        return [Finding(Health.OK, "settings", "every FLEXIPRICE_ variable is known")]
    advice = "`flexiprice help settings` lists the settings; is it misspelt?"
    return [Finding(Health.WARNING, "settings", f"no setting reads {name}", advice) for name in unknown]


def check_access(settings: Settings) -> list[Finding]:
    """Warns where clients on this machine need no key."""
    if not settings.open_loopback:
        return []
    detail = "FLEXIPRICE_OPEN_LOOPBACK is set: this machine's clients are administrators without a key"
    advice = "for development only: unset it where others can reach this machine, or a proxy runs on it"
    return [Finding(Health.WARNING, "access", detail, advice)]


async def check_database(settings: Settings) -> list[Finding]:
    """Checks PostgreSQL, its tables and their partitions."""
    try:
        with database_errors():
            async with (
                open_database(settings, program=_PROGRAM) as database,
                database.sessions.begin() as session,
            ):
                await limit_waits(session)
                return [
                    await _check_server(session),
                    await _check_writes(session),
                    *await _check_tables(session),
                ]
    except FlexiPriceError as error:
        return [_database_failed("database", error)]


async def check_redis(settings: Settings) -> list[Finding]:
    """Checks Redis, and the workers, queues, schedules and dead letters in it."""
    try:
        async with open_job_broker(settings, program=_PROGRAM) as broker:
            findings = await _check_broker(broker.redis)
            workers = await broker.tasks.live_workers()
            queues = await list_queues(broker.tasks)
            undeclared = await list_undeclared(broker.tasks, workers, queues)
            dead_letters = await count_dead_letters(broker.redis)
            schedules = await list_schedules(broker.tasks, workers=workers)
            with redis_errors():
                now = await redis_now(broker.redis)
                clock = await check_own_clock(broker.redis)
            unrouted = await count_unrouted(broker.redis, before_ms=to_unix_ms(now - _ROUTED_WITHIN))
    except InvalidSettings as error:
        return [Finding(Health.FAILED, "redis", error.message, "change that, or FLEXIPRICE_REDIS_URL")]
    except FlexiPriceError as error:
        advice = "start Redis or Valkey, or set FLEXIPRICE_REDIS_URL"
        if error.details.get("answers"):
            advice = "programs wait until it does again what it is asked; its log says more"
        return [Finding(Health.FAILED, "redis", error.message, advice)]
    return [
        *findings,
        *clock,
        *check_workers(workers),
        *check_queues(queues),
        *check_undeclared(undeclared),
        *check_worker_clocks(workers),
        *check_schedules(schedules, workers),
        check_dead_letters(dead_letters),
        *check_default_queue(unrouted),
    ]


async def _check_server(session: AsyncSession) -> Finding:
    version = str((await session.execute(text("SHOW server_version"))).scalar_one())
    if int(version.partition(".")[0]) < OLDEST_POSTGRESQL:
        advice = f"FlexiPrice needs PostgreSQL {OLDEST_POSTGRESQL} or later"
        return Finding(Health.FAILED, "database", f"PostgreSQL {version}", advice)
    return Finding(Health.OK, "database", f"PostgreSQL {version}")


async def _check_writes(session: AsyncSession) -> Finding:
    try:
        async with session.begin_nested():
            await require_writable(session)
    except DatabaseUnavailable as error:
        return _database_failed("writes", error)
    return Finding(Health.OK, "writes", "PostgreSQL takes them")


def _database_failed(subject: str, error: FlexiPriceError) -> Finding:
    reason = str(error.details.get("reason", error.message))
    advice = str(error.details.get("advice", "start PostgreSQL, or set FLEXIPRICE_DATABASE_URL"))
    return Finding(Health.FAILED, subject, reason, advice)


async def _check_tables(session: AsyncSession) -> list[Finding]:
    if not await is_current(session):
        return [
            Finding(
                Health.FAILED,
                "migrations",
                "the tables are not those of this version",
                "run `flexiprice migrate`",
            )
        ]
    missing = await count_missing_partitions(session, now=await database_now(session))
    if missing:
        partitions = Finding(
            Health.FAILED,
            "partitions",
            f"{counted(missing, 'partition')} missing for this month and the next two",
            "run `flexiprice migrate`; a running worker makes them every night",
        )
    else:
        partitions = Finding(Health.OK, "partitions", "made for this month and the next two")
    return [Finding(Health.OK, "migrations", "the tables are those of this version"), partitions]


async def _check_broker(redis: ArqRedis) -> list[Finding]:
    findings = [Finding(Health.OK, "redis", await read_broker_version(redis))]
    try:
        await probe_writes(redis)
        await probe_publishing(redis)
    except RedisUnavailable as error:
        advice = "jobs wait until it does; nothing is lost"
        findings.append(Finding(Health.FAILED, "redis", error.message, advice))
    info = await find_broker_info(redis)
    if info is None:
        detail = "its user may not ask about eviction, persistence and memory"
        findings.append(Finding(Health.WARNING, "redis", detail, "ACL SETUSER USER +info"))
        return findings
    if BrokerRisk.EVICTS in info.risks:
        findings.append(
            Finding(
                Health.WARNING,
                "redis",
                f"when memory is short it drops keys ({info.eviction_policy}), jobs among them",
                "set maxmemory-policy to noeviction",
            )
        )
    if BrokerRisk.FORGETS in info.risks:
        findings.append(
            Finding(
                Health.WARNING,
                "redis",
                "jobs that wait are lost where it ends badly: its append-only file is off",
                "set appendonly to yes",
            )
        )
    return findings


async def check_everything(settings: Settings) -> list[Finding]:
    """Returns all findings, in the order in which an operator would resolve them."""
    return [
        *check_variables(),
        *check_access(settings),
        *await check_database(settings),
        *await check_redis(settings),
        *await check_runs(settings),
        *await check_server_clocks(settings),
    ]
