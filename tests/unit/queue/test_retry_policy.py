"""Retry policies: transient errors, number of tries, delays."""

import asyncio
import errno
import random
import socket
from datetime import timedelta

import asyncpg
import pytest
import redis.exceptions
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import exc

from flexiprice.errors import (
    Conflict,
    DatabaseUnavailable,
    InvalidInput,
    RedisUnavailable,
    SoftTimeLimitExceeded,
    TimeLimitExceeded,
)
from flexiprice.queue.retry_policy import RetryPolicy, is_transient

SECOND = timedelta(seconds=1)
POLICY = RetryPolicy(max_tries=5, base=SECOND, cap=timedelta(seconds=10))


def by_the_driver(error: Exception, *, lost: bool = False) -> exc.DBAPIError:
    """A driver's error as SQLAlchemy passes it on."""
    return exc.DBAPIError("SELECT 1", {}, error, connection_invalidated=lost)


@pytest.mark.parametrize(
    "error",
    [
        DatabaseUnavailable("PostgreSQL is away"),
        RedisUnavailable("Redis is away"),
        asyncpg.ConnectionDoesNotExistError("08003"),
        asyncpg.AdminShutdownError("57P01"),
        asyncpg.CannotConnectNowError("57P03"),
        asyncpg.TooManyConnectionsError("53300"),
        asyncpg.SerializationError("40001"),
        asyncpg.DeadlockDetectedError("40P01"),
        by_the_driver(asyncpg.DeadlockDetectedError("40P01")),
        by_the_driver(asyncpg.InterfaceError("connection is closed"), lost=True),
        exc.TimeoutError("the pool is empty"),
        redis.exceptions.ConnectionError("refused"),
        redis.exceptions.TimeoutError("no answer"),
        redis.exceptions.BusyLoadingError("loading"),
        ConnectionResetError("reset by peer"),
        BrokenPipeError("broken pipe"),
        TimeoutError("no answer"),
        OSError(errno.ENETUNREACH, "network is unreachable"),
        socket.gaierror(socket.EAI_AGAIN, "temporary failure in name resolution"),
        ExceptionGroup("both", [ConnectionResetError(), DatabaseUnavailable("away")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_outage_or_lock_is_worth_another_try(error: Exception) -> None:
    assert is_transient(error)
    assert POLICY.next_try_after(error, 1, chance=0) == SECOND


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a fault of ours"),
        InvalidInput("a fault of theirs"),
        Conflict("a duplicate"),
        asyncpg.UniqueViolationError("23505"),
        by_the_driver(asyncpg.PostgresSyntaxError("42601")),
        redis.exceptions.ResponseError("WRONGTYPE"),
        redis.exceptions.AuthenticationError("wrong password"),
        FileNotFoundError(errno.ENOENT, "no such file"),
        OSError(errno.ENOSPC, "no space left on device"),
        socket.gaierror(socket.EAI_NONAME, "name or service not known"),
        ExceptionGroup("mixed", [ConnectionResetError(), ValueError()]),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_permanent_error_fails_at_once(error: BaseException) -> None:
    assert not is_transient(error)
    assert POLICY.next_try_after(error, 1, chance=0) is None


@pytest.mark.parametrize("error", [TimeLimitExceeded("hard"), SoftTimeLimitExceeded("soft")])
def test_a_broken_time_limit_is_tried_again_only_where_the_task_says_so(error: Exception) -> None:
    patient = RetryPolicy(retry_on_timeout=True)
    assert POLICY.next_try_after(error, 1, chance=0) is None
    assert patient.next_try_after(error, 1, chance=0) == patient.base


def test_retry_policy_ends_after_max_tries() -> None:
    away = DatabaseUnavailable("away")
    assert POLICY.next_try_after(away, 4, chance=0) is not None
    assert POLICY.next_try_after(away, 5, chance=0) is None
    assert RetryPolicy(max_tries=1).next_try_after(away, 1, chance=0) is None


def test_the_pause_doubles_up_to_the_cap() -> None:
    pauses = [POLICY.delay_after(attempt, chance=0).total_seconds() for attempt in range(1, 7)]
    assert pauses == [1, 2, 4, 8, 10, 10]


def test_chance_shortens_the_pause_by_as_much_as_the_jitter_allows() -> None:
    assert POLICY.delay_after(3, chance=0.75) == SECOND
    assert RetryPolicy(base=SECOND, jitter=0.5).delay_after(3, chance=0.75) == 2.5 * SECOND
    assert RetryPolicy(base=SECOND, jitter=0).delay_after(3, chance=0.75) == 4 * SECOND


def test_jobs_that_failed_together_do_not_come_back_together() -> None:
    source = random.Random(7)
    pauses = {POLICY.delay_after(4, chance=source.random()) for _ in range(100)}
    assert len(pauses) == 100
    assert max(pauses) - min(pauses) > 6 * SECOND


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_no_pause_is_negative_or_longer_than_the_cap(attempt: int, chance: float) -> None:
    assert timedelta(0) <= POLICY.delay_after(attempt, chance=chance) <= POLICY.cap


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tries": 0},
        {"base": timedelta(0)},
        {"base": timedelta(hours=1)},
        {"jitter": 1.5},
        {"jitter": -0.1},
    ],
)
def test_inconsistent_retry_policy_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        RetryPolicy(**fields)
