"""The words for what a client may do."""

from enum import StrEnum


class Scope(StrEnum):
    """What the holder of a key may do; each scope contains those before it.

    `read` looks, `prices` changes stock, policies and prices, `admin` operates tasks, queues and workers.
    """

    READ = "read"
    PRICES = "prices"
    ADMIN = "admin"

    def allows(self, needed: "Scope") -> bool:
        """Whether this scope is, or contains, the one that is needed."""
        order = tuple(Scope)
        return order.index(needed) <= order.index(self)
