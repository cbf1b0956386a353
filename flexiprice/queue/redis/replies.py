"""Classifies error replies of Redis: temporary, in need of an operator, or a bug.

redis-py knows few error codes, and treats a wrong password as a lost connection. This parser gives each reply
a class by the necessary action, and a message that an operator can act on.
"""

import re
from typing import Final, cast

from redis.asyncio.connection import DefaultParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

_NEEDS: Final = "FlexiPrice needs Redis 6.2 or Valkey 7.2 or later, with no command renamed"
CLUSTER_REFUSED: Final = (
    "this Redis runs in cluster mode, which FlexiPrice does not support: "
    "name a single server, or Sentinel by redis+sentinel://host:26379/service/0"
)
SENTINEL_REFUSED: Final = (
    "this is a Sentinel and not a Redis: write redis+sentinel://host:26379/service/0, with the service's name"
)


class RedisNotReady(ResponseError):
    """A temporary error reply: the same call may succeed later.

    Attributes:
        sentence: the problem and its remedy.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class RedisNotWritable(RedisNotReady):
    """Redis serves reads but temporarily refuses writes."""


class RedisFull(RedisNotWritable, OutOfMemoryError):
    """Redis has no memory left. Workers free memory by processing the queue."""


class RedisNotMaster(RedisNotWritable, ReadOnlyError, RedisConnectionError):
    """The server is a replica. Also a connection error, because a new connection may reach the master."""


class RedisRefusal(ResponseError):
    """A permanent error reply: a permission, the password or the server must be changed.

    Attributes:
        sentence: the problem and the necessary change.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


_NOT_READY: Final[dict[str, tuple[type[RedisNotReady], str]]] = {
    "NOREPLICAS": (
        RedisNotWritable,
        "Redis refuses writes: too few replicas are connected (NOREPLICAS, min-replicas-to-write)",
    ),
    "MISCONF": (
        RedisNotWritable,
        "Redis refuses writes: it cannot save to its disk (MISCONF); its log says why",
    ),
    "OOM": (RedisFull, "Redis refuses writes: its memory is full (OOM, maxmemory)"),
    "READONLY": (RedisNotMaster, "Redis refuses writes: it is a replica (READONLY)"),
    "MASTERDOWN": (RedisNotMaster, "Redis is a replica whose master is away (MASTERDOWN)"),
    "BUSY": (RedisNotReady, "Redis is busy with a script (BUSY); SCRIPT KILL ends it"),
    "CLUSTERDOWN": (RedisNotReady, "Redis Cluster is down (CLUSTERDOWN)"),
    "TRYAGAIN": (RedisNotReady, "Redis Cluster moves the keys (TRYAGAIN)"),
    "UNBLOCKED": (RedisNotReady, "Redis changed its role (UNBLOCKED)"),
}
# At the start of the reply, or inside the reply of a script or transaction.
_CODE: Final = re.compile(rf"(?:^|: -?)({'|'.join(_NOT_READY)})\b")
_REFUSALS: Final = (
    (re.compile(r"^(?:MOVED|ASK|CROSSSLOT)\b|not allowed in cluster mode"), CLUSTER_REFUSED),
    (
        re.compile(r"^(?:WRONGPASS|NOAUTH)\b|invalid password|no password is set|without any password"),
        "Redis refuses the user or the password (WRONGPASS or NOAUTH)",
    ),
    (
        re.compile(r"^DENIED\b"),
        "Redis is in protected mode and refuses other machines: give it a password",
    ),
)
_DENIED: Final = re.compile(r"NOPERM\b|ACL failure in script|The user executing the script can't")
_UNKNOWN: Final = re.compile(r"unknown (?:sub)?command [`']?([^`',\s]+)|Unknown Redis command", re.IGNORECASE)
_USER: Final = re.compile(r"\bUser (\S+) has")
_COMMAND: Final = re.compile(r"'([\w|-]+)'")


class ReplyParser(DefaultParser):  # type: ignore[valid-type, misc]
    """redis-py's parser with our classes of error replies."""

    @classmethod
    def parse_error(cls, response: str) -> Exception:
        """Returns the exception for an error reply."""
        return error_of(response) or cast("Exception", super().parse_error(response))


def error_of(reply: str) -> RedisNotReady | RedisRefusal | None:
    """Classifies an error reply; None leaves it to redis-py's own classes."""
    if (code := _CODE.search(reply)) is not None:
        kind, sentence = _NOT_READY[code.group(1)]
        return kind(sentence)
    for pattern, refusal in _REFUSALS:
        if pattern.search(reply):
            return RedisRefusal(refusal)
    if _DENIED.search(reply):
        return RedisRefusal(_missing_permission(reply))
    if (unknown := _UNKNOWN.search(reply)) is not None:
        # The rest of the reply has the arguments, which may be confidential.
        return RedisRefusal(f"Redis does not know the command {unknown.group(1) or ''}: {_NEEDS}")
    return None


def sentence_of(error: BaseException) -> str:
    """Returns the message of an error, without the command that a pipeline puts before it."""
    sentence = getattr(error, "sentence", None)
    return str(sentence if sentence is not None else error)


def _missing_permission(reply: str) -> str:
    user = name.group(1) if (name := _USER.search(reply)) else "USER"
    if (command := _COMMAND.search(reply)) is not None:
        refused = str(command.group(1))
        return (
            f"the Redis user may not run {refused.upper()}; grant it: ACL SETUSER {user} +{refused.lower()}"
        )
    if "channel" in reply:
        rights = "&arq:* &flexiprice:*"
        return f"the Redis user may not use FlexiPrice's channels; grant them: ACL SETUSER {user} {rights}"
    if "key" in reply:
        rights = "~arq:* ~flexiprice:*"
        return f"the Redis user may not use FlexiPrice's keys; grant them: ACL SETUSER {user} {rights}"
    return f"the Redis user may not run a command; ACL LOG says which, ACL SETUSER {user} +COMMAND grants it"
