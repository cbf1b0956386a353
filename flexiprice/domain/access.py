"""The scopes of API keys."""

from collections.abc import Collection, Iterable
from enum import StrEnum


class Scope(StrEnum):
    """A permission of a key. A key has a set of these; only `admin` contains others, and all of them.

    `read` looks at everything under `/admin`, the monitor and the metrics. `events` receives events.
    `labels` prints and acknowledges shelf labels. `prices` changes stock, policies and prices, and has
    prices recomputed. `approve` approves prices that await approval. `admin` does all of these, and operates
    tasks, queues, schedules and workers.
    """

    READ = "read"
    EVENTS = "events"
    LABELS = "labels"
    PRICES = "prices"
    APPROVE = "approve"
    ADMIN = "admin"


class KeyFault(StrEnum):
    """Reasons for which a key is refused. The audit records them; the client never sees them.

    A `wrong` key names one of ours and has another secret. A `replaced` one has the secret that a rotated key
    had before, where that is still known.
    """

    MISSING = "missing"
    UNKNOWN = "unknown"
    WRONG = "wrong"
    REPLACED = "replaced"
    EXPIRED = "expired"
    REVOKED = "revoked"


def allows(granted: Collection[Scope], needed: Scope) -> bool:
    """Whether a set of granted scopes includes the needed one."""
    return needed in granted or Scope.ADMIN in granted


def scope_set(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Each scope once, in the order of `Scope`, so that equal sets compare and display equally."""
    given = set(scopes)
    return tuple(scope for scope in Scope if scope in given)
