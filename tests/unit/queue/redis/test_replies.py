"""Meanings of Redis's error replies, by the texts of Redis and Valkey."""

import pytest
from redis.exceptions import BusyLoadingError, NoScriptError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from flexiprice.errors import InvalidSettings, RedisUnavailable
from flexiprice.queue.redis.connection import UNAVAILABLE, redis_errors
from flexiprice.queue.redis.replies import (
    RedisNotMaster,
    RedisNotReady,
    RedisNotWritable,
    RedisRefusal,
    ReplyParser,
)
from flexiprice.queue.retry_policy import is_transient

_SCRIPT = " script: 872bc6701b4ac00ebb820e81652ffe2b4bc16f1b, on @user_script:1."


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        ("NOREPLICAS Not enough good replicas to write.", RedisNotWritable, "NOREPLICAS"),
        (f"NOREPLICAS Not enough good replicas to write.{_SCRIPT}", RedisNotWritable, "NOREPLICAS"),
        (
            "ERR Error running script (call to f_9): @user_script:4: -NOREPLICAS Not enough good replicas",
            RedisNotWritable,
            "NOREPLICAS",
        ),
        ("EXECABORT Transaction discarded because of: MISCONF Errors writing", RedisNotWritable, "MISCONF"),
        ("MISCONF Valkey is configured to save RDB snapshots, but it is", RedisNotWritable, "MISCONF"),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data", RedisNotMaster, "MASTERDOWN"),
        ("READONLY You can't write against a read only replica.", RedisNotMaster, "READONLY"),
        ("OOM command not allowed when used memory > 'maxmemory'.", RedisNotWritable, "OOM"),
        ("BUSY Redis is busy running a script. You can only call SCRIPT KILL", RedisNotReady, "BUSY"),
        ("CLUSTERDOWN Hash slot not served", RedisNotReady, "CLUSTERDOWN"),
        ("TRYAGAIN Multiple keys request during rehashing of slot", RedisNotReady, "TRYAGAIN"),
    ],
)
def test_a_reply_that_heals_by_itself_is_waited_out(reply: str, kind: type, code: str) -> None:
    error = ReplyParser.parse_error(reply)
    assert isinstance(error, kind)
    assert isinstance(error, UNAVAILABLE)
    assert code in str(error)
    assert is_transient(error)
    with pytest.raises(RedisUnavailable, match=code), redis_errors():
        raise error


def test_error_that_redis_py_heals_itself_keeps_its_type() -> None:
    assert isinstance(ReplyParser.parse_error("LOADING Redis is loading the dataset"), BusyLoadingError)
    assert isinstance(ReplyParser.parse_error("NOSCRIPT No matching script."), NoScriptError)


def test_readonly_reply_counts_as_lost_connection_so_that_the_next_finds_the_master() -> None:
    error = ReplyParser.parse_error("READONLY You can't write against a read only replica.")
    assert isinstance(error, RedisConnectionError)
    assert isinstance(error, ReadOnlyError)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (
            "NOPERM this user has no permissions to run the 'info' command",
            "may not run INFO; grant it: ACL SETUSER USER +info",
        ),
        ("NOPERM User app has no permissions to run the 'info' command", "ACL SETUSER app +info"),
        ("NOPERM User app has no permissions to run the 'client|setname' command", "+client|setname"),
        ("NOPERM No permissions to access a key", "ACL SETUSER USER ~arq:* ~flexiprice:*"),
        (
            "NOPERM this user has no permissions to access one of the channels used as arguments",
            "ACL SETUSER USER &arq:* &flexiprice:*",
        ),
        (f"ERR ACL failure in script: No permissions to access a key{_SCRIPT}", "~arq:* ~flexiprice:*"),
        (
            "ERR The user executing the script can't publish to the channel mentioned in the command",
            "&arq:* &flexiprice:*",
        ),
        (
            f"ERR The user executing the script can't run this command or subcommand{_SCRIPT}",
            "ACL LOG says which",
        ),
        ("WRONGPASS invalid username-password pair or user is disabled.", "user or the password"),
        ("NOAUTH Authentication required.", "user or the password"),
        ("ERR Client sent AUTH, but no password is set", "user or the password"),
        ("ERR unknown command 'EVALSHA', with args beginning with: 'hunter2'", "the command EVALSHA: "),
        ("ERR unknown command `EVALSHA`, with args beginning with: `hunter2`", "the command EVALSHA: "),
        ("CROSSSLOT Keys in request don't hash to the same slot", "cluster mode"),
        ("MOVED 3999 127.0.0.1:6381", "cluster mode"),
        ("ERR SELECT is not allowed in cluster mode", "cluster mode"),
        ("DENIED Redis is running in protected mode because", "protected mode"),
    ],
)
def test_a_reply_that_does_not_heal_says_what_to_change(reply: str, told: str) -> None:
    error = ReplyParser.parse_error(reply)
    assert isinstance(error, RedisRefusal)
    assert not isinstance(error, UNAVAILABLE)
    assert not is_transient(error)
    assert told in error.sentence
    assert "hunter2" not in error.sentence
    with pytest.raises(InvalidSettings, match="FLEXIPRICE_REDIS_URL"), redis_errors():
        raise error


@pytest.mark.parametrize(
    "reply", ["WRONGTYPE Operation against a key holding the wrong kind of value", "ERR index out of range"]
)
def test_reply_to_a_wrong_command_stays_a_response_error(reply: str) -> None:
    error = ReplyParser.parse_error(reply)
    assert type(error) is ResponseError
    with pytest.raises(ResponseError), redis_errors():
        raise error
