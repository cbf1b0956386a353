"""The words for what a client may do."""

from collections.abc import Collection, Iterable
from enum import StrEnum


class Scope(StrEnum):
    """What the holder of a key may do. A key has a set of these; none contains another, but `admin` all.

    `read` looks at everything under `/admin`, the monitor and the metrics. `events` receives what happens.
    `labels` prints and acknowledges shelf labels. `prices` changes stock, policies and prices, and has
    prices recomputed. `approve` approves prices that wait for it. `admin` does all of these, and operates
    tasks, queues, schedules and workers.
    """

    READ = "read"
    EVENTS = "events"
    LABELS = "labels"
    PRICES = "prices"
    APPROVE = "approve"
    ADMIN = "admin"


class KeyFault(StrEnum):
    """Why a key opens nothing. Whoever presents it is told none of this; the audit is.

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
    """Whether a set of scopes has the one that is needed."""
    return needed in granted or Scope.ADMIN in granted


def scope_set(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Each scope once, in the order of `Scope`, so that equal sets look equal wherever they are shown."""
    given = set(scopes)
    return tuple(scope for scope in Scope if scope in given)
