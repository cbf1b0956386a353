"""The async engine, and the translation of driver errors.

An engine from here raises `DatabaseUnavailable` for a database that is unavailable, at any point of a
transaction, instead of driver errors.
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
    """Returns the current connection counts of an engine's pool. Thread-safe."""
    pool = engine.pool
    if not isinstance(pool, QueuePool):
        return PoolUse(in_use=0, idle=0, size=0)
    return PoolUse(in_use=pool.checkedout(), idle=pool.checkedin(), size=pool.size())


# SQLAlchemy's error for a prepared statement whose tables have changed; it prepares again.
_PlanOutdated = AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError
_CONNECT_TIMEOUT_SECONDS = 10
_POOL_TIMEOUT_SECONDS = 10
# Shorter than the idle timeout of most firewalls and load balancers.
_RECYCLE_SECONDS = 1800
# An unnamed statement lasts until the next one. Behind a pooler, each transaction may have another session: a
# named statement would be missing there, or belong to another client.
_UNNAMED_STATEMENTS: Mapping[str, Any] = {
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: "",
}


def create_engine(settings: Settings, *, application_name: str, work: Work = Work.RECOMPUTE) -> AsyncEngine:
    """Creates an engine that connects on first use and reconnects after an outage.

    Args:
        settings: has the database's address and the size of the pool.
        application_name: of the connections in `pg_stat_activity`.
        work: the kind of its transactions, which sets their timeouts; `for_work` derives others.

    Raises:
        InvalidSettings: no database is configured. On first use also if the server refuses the account, the
            password or the database's name; on any use if prepared statements are enabled behind a pooler in
            transaction mode.
    """
    address = _address(settings)
    prepares = settings.database_prepared_statements and not address.behind_pooler
    connect = _connector(address, application_name, prepares=prepares)

    def connect_adapted() -> object:
        # As `create_async_engine` does with `async_creator`, with options that it does not have.
        options: Mapping[str, Any] = {} if prepares else _UNNAMED_STATEMENTS
        return engine.dialect.dbapi.connect(async_creator_fn=connect, **options)  # type: ignore[union-attr]

    engine = create_async_engine(
        "postgresql+asyncpg://",
        creator=connect_adapted,
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
    """Translates errors that the engine's event handler does not see, at a program's entry point.

    These are a timeout of the pool, and a connection lost outside a statement.

    Raises:
        DatabaseUnavailable: PostgreSQL does not respond, ended the connection, or has no free connection.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseBusy("every connection to the database stayed busy; try again") from error
    except DBAPIError as error:
        translated = _translated(error.orig, lost=error.connection_invalidated)
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
            # The driver is not typed; SQLAlchemy accepts its connection.
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
        # The pool will replace the connection; it would take another exception for a failure to do so.
        return None
    if _is_outdated(context.original_exception):
        # All other prepared statements are outdated too: replace all connections of the pool.
        context.is_disconnect = True
    return _translated(context.original_exception, lost=context.is_disconnect)


def _translated(error: BaseException | None, *, lost: bool) -> Exception | None:
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
    """Whether a prepared statement refers to tables or types that were replaced, as by a restore."""
    is_missing = sqlstate_of(error) == INTERNAL_ERROR and "cache lookup failed" in str(error)
    return is_missing or isinstance(error, _PlanOutdated)


def _driver_message(error: BaseException | None) -> str:
    # SQLAlchemy prefixes the driver's message with the class of its exception.
    return str(error).rpartition(">: ")[2]
