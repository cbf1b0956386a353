"""PostgreSQL's error codes mean the same to API and workers."""

import asyncpg
import pytest
from sqlalchemy import exc

from api.problems import STATUS_OF
from flexiprice.db.sqlstate import not_now, sqlstate_of
from flexiprice.errors import DatabaseBusy, DatabaseNotMigrated, DatabaseUnavailable
from flexiprice.queue.retry_policy import is_transient

NOT_NOW = {
    DatabaseUnavailable: [
        asyncpg.ConnectionDoesNotExistError("08003"),
        asyncpg.PostgresConnectionError("08006"),
        asyncpg.AdminShutdownError("57P01"),
        asyncpg.CrashShutdownError("57P02"),
        asyncpg.CannotConnectNowError("57P03"),
        asyncpg.ReadOnlySQLTransactionError("25006"),
        asyncpg.InsufficientResourcesError("53000"),
        asyncpg.DiskFullError("53100"),
        asyncpg.OutOfMemoryError("53200"),
        asyncpg.TooManyConnectionsError("53300"),
        asyncpg.ConfigurationLimitExceededError("53400"),
        asyncpg.PostgresIOError("58030"),
        asyncpg.InvalidCatalogNameError("3D000"),
    ],
    DatabaseBusy: [
        asyncpg.SerializationError("40001"),
        asyncpg.DeadlockDetectedError("40P01"),
        asyncpg.LockNotAvailableError("55P03"),
        asyncpg.ObjectInUseError("55006"),
        asyncpg.QueryCanceledError("57014"),
    ],
    DatabaseNotMigrated: [
        asyncpg.UndefinedTableError("42P01"),
        asyncpg.UndefinedColumnError("42703"),
        asyncpg.InvalidSchemaNameError("3F000"),
        asyncpg.InvalidColumnReferenceError("42P10"),
    ],
}
STAYS = [
    asyncpg.UniqueViolationError("23505"),
    asyncpg.PostgresSyntaxError("42601"),
    asyncpg.InsufficientPrivilegeError("42501"),
    asyncpg.NumericValueOutOfRangeError("22003"),
    asyncpg.InvalidPasswordError("28P01"),
    ValueError("has no code"),
]


@pytest.mark.parametrize(
    ("kind", "error"), [(kind, error) for kind, errors in NOT_NOW.items() for error in errors], ids=repr
)
def test_transient_sqlstate_is_a_retry_for_workers_and_503_for_the_api(
    kind: type[DatabaseUnavailable], error: Exception
) -> None:
    meaning = not_now(sqlstate_of(error))
    assert meaning is not None
    raised = meaning.raised(sqlstate_of(error))
    assert type(raised) is kind
    assert STATUS_OF[raised.code] == 503
    assert raised.details["sqlstate"] == error.sqlstate
    assert str(raised.details["advice"]) in raised.message
    for seen in (raised, error, exc.DBAPIError("SELECT 1", {}, error)):
        assert is_transient(seen)


@pytest.mark.parametrize("error", STAYS, ids=repr)
def test_sqlstate_that_would_fail_again_is_not_in_the_table(error: Exception) -> None:
    assert not_now(sqlstate_of(error)) is None
    assert not is_transient(error)


def test_too_many_clients_is_not_answered_with_start_postgresql() -> None:
    meaning = not_now("53300")
    assert meaning is not None
    assert "max_connections" in meaning.advice
    assert "start" not in meaning.advice
