"""The async engine, and what it means when the database is not there.

Whoever uses an engine from here never meets a driver's words for a database that is away: they are
`DatabaseUnavailable`, wherever in a transaction it happens.
"""

import ssl
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from flexiprice.database_url import DatabaseAddress, read_database_url
from flexiprice.db.sqlstate import (
    CONNECTION_LOST,
    INTERNAL_ERROR,
    LOGIN_REFUSED,
    PLAN_OUTDATED,
    POOLED_STATEMENT,
    not_now,
    sqlstate_of,
)
from flexiprice.db.work import LimitedConnection, Work, for_work, limit_transactions
from flexiprice.errors import DatabaseBusy, DatabaseUnavailable, InvalidSettings
from flexiprice.metrics import PoolUse
from flexiprice.settings import Settings


def pool_use(engine: AsyncEngine) -> PoolUse:
    """The connections that an engine holds right now; may be asked for on any thread."""
    pool = engine.pool
    if not isinstance(pool, QueuePool):
        return PoolUse(in_use=0, idle=0, size=0)
    return PoolUse(in_use=pool.checkedout(), idle=pool.checkedin(), size=pool.size())


# SQLAlchemy's word for a prepared statement whose tables have changed; it prepares anew.
_PlanOutdated = AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError
_CONNECT_TIMEOUT_SECONDS = 10
_POOL_TIMEOUT_SECONDS = 10
# Shorter than the patience of most firewalls and load balancers with an idle connection.
_RECYCLE_SECONDS = 1800
# A statement without a name is gone with the next one: behind a pooler, where every transaction may have
# another session, one with a name would not be found again, or be found there by somebody else.
_PREPARES_NOTHING: Mapping[str, Any] = {
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: "",
}


def create_engine(settings: Settings, *, application_name: str, work: Work = Work.RECOMPUTE) -> AsyncEngine:
    """Makes an engine that connects on first use and heals by itself after the server was away.

    Args:
        settings: where the database is, and how many connections may be open.
        application_name: what the connections are called in `pg_stat_activity`.
        work: what its transactions are for, which limits how long they may take; `for_work` makes others.

    Raises:
        InvalidSettings: no database is configured; on first use also where the server refuses the
            account, the password or the database's name, and on any use where statements are prepared
            though a pooler gives each transaction another session.
    """
    address = _address(settings)
    prepares = settings.database_prepared_statements and not address.behind_pooler
    connect = _connector(address, application_name, prepares=prepares)

    def adapted() -> object:
        # What `create_async_engine` makes of an `async_creator`, with what it has no option for.
        options: Mapping[str, Any] = {} if prepares else _PREPARES_NOTHING
        return engine.dialect.dbapi.connect(async_creator_fn=connect, **options)  # type: ignore[union-attr]

    engine = create_async_engine(
        "postgresql+asyncpg://",
        creator=adapted,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=_POOL_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        pool_recycle=_RECYCLE_SECONDS,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "handle_error", _translate)
    return for_work(limit_transactions(engine, settings), work)


@contextmanager
def database_errors() -> Generator[None]:
    """Turns what the engine cannot translate itself into `DatabaseUnavailable`, at a program's door.

    That is a pool that has no connection to give in time, and a connection lost where no statement ran.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer, ended the connection, or has none left for us.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseBusy("every connection to the database stayed busy; try again") from error
    except DBAPIError as error:
        translated = _meaning(error.orig, lost=error.connection_invalidated)
        if translated is None:
            raise
        raise translated from error


def _address(settings: Settings) -> DatabaseAddress:
    address = read_database_url(settings.require_database_url())
    for name, path in address.files.items():
        if not Path(path).is_file():
            raise InvalidSettings(f"FLEXIPRICE_DATABASE_URL: {name}: there is no file {path}")
    return address


def _connector(
    address: DatabaseAddress, application_name: str, *, prepares: bool
) -> Callable[[], Awaitable[object]]:
    caching: Mapping[str, Any] = {} if prepares else {"statement_cache_size": 0}

    async def connect() -> object:
        try:
            # The driver is not typed; SQLAlchemy takes whatever it gives.
            connection = cast(
                "object",
                await asyncpg.connect(
                    address.url,
                    timeout=address.connect_timeout or _CONNECT_TIMEOUT_SECONDS,
                    connection_class=LimitedConnection,
                    server_settings={**address.session, "application_name": application_name},
                    **caching,
                ),
            )
        except ssl.SSLError as error:
            raise DatabaseUnavailable(f"no TLS connection to the database: {error.reason}") from error
        except OSError as error:
            reason = f" ({error})" if str(error) else ""
            raise DatabaseUnavailable(
                f"the database does not answer{reason}; is PostgreSQL running?"
            ) from error
        except (ValueError, asyncpg.ClientConfigurationError) as error:
            # The driver's own message may quote the URL, and with it the password.
            raise InvalidSettings("FLEXIPRICE_DATABASE_URL: cannot be read as a PostgreSQL URL") from error
        return connection

    return connect


def _translate(context: ExceptionContext) -> Exception | None:
    if context.is_pre_ping:
        # The pool is about to replace the connection, and would take another exception for a failure of that.
        return None
    if _is_outdated(context.original_exception):
        # Whatever else the connections have prepared is outdated too: all of the pool are made anew.
        context.is_disconnect = True
    return _meaning(context.original_exception, lost=context.is_disconnect)


def _meaning(error: BaseException | None, *, lost: bool) -> Exception | None:
    sqlstate = sqlstate_of(error)
    if sqlstate.startswith(LOGIN_REFUSED):
        return InvalidSettings(f"FLEXIPRICE_DATABASE_URL: {_driver_message(error)}")
    if sqlstate in POOLED_STATEMENT:
        return InvalidSettings(
            "FLEXIPRICE_DATABASE_PREPARED_STATEMENTS: must be false behind a pooler in transaction mode, "
            "such as PgBouncer"
        )
    if _is_outdated(error):
        return PLAN_OUTDATED.raised("")
    meaning = not_now(sqlstate) or (CONNECTION_LOST if lost else None)
    return None if meaning is None else meaning.raised(sqlstate)


def _is_outdated(error: BaseException | None) -> bool:
    """What was prepared names tables or types that have been replaced since, as by a restore."""
    gone = sqlstate_of(error) == INTERNAL_ERROR and "cache lookup failed" in str(error)
    return gone or isinstance(error, _PlanOutdated)


def _driver_message(error: BaseException | None) -> str:
    # SQLAlchemy prefixes the driver's message with the class of its exception.
    return str(error).rpartition(">: ")[2]
