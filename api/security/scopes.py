"""The scope that each endpoint requires, in one table; the documentation uses it too."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import Scope as AsgiScope

from flexiprice.access.key_ring import KeyHolder, RejectedKey
from flexiprice.domain.access import Scope, allows

_READING: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class _Needed:
    """The scopes of one tag for reading and for changing; None for public access."""

    to_read: Scope | None
    to_change: Scope | None


_OPEN: Final = _Needed(None, None)
_PRICING: Final = _Needed(Scope.READ, Scope.PRICES)
_OPERATING: Final = _Needed(Scope.READ, Scope.ADMIN)
_NEEDED: Final[Mapping[str, _Needed]] = {
    "health": _OPEN,
    "prices": _OPEN,
    "price-list": _PRICING,
    "stores": _PRICING,
    "products": _PRICING,
    "batches": _PRICING,
    "scans": _PRICING,
    "events": _Needed(Scope.READ, Scope.EVENTS),
    "discounts": _PRICING,
    "policies": _PRICING,
    "tasks": _OPERATING,
    "queues": _OPERATING,
    "schedules": _OPERATING,
    "workers": _OPERATING,
    "audit": _OPERATING,
}


def needed_scope(methods: Iterable[str], tags: Iterable[str]) -> Scope | None:
    """Returns the scope that an endpoint requires; None if it requires no key.

    Args:
        methods: HTTP methods of the endpoint.
        tags: its tags in the documentation: exactly one.

    Raises:
        LookupError: the table lacks the tag, or there is not exactly one. The application then does not
            start, so that a forgotten endpoint is never public.
    """
    named = list(tags)
    if len(named) != 1 or named[0] not in _NEEDED:
        raise LookupError(
            f"api/security/scopes.py must name the scope of each endpoint by its one tag: {named}"
        )
    needed = _NEEDED[named[0]]
    return needed.to_read if _READING.issuperset(methods) else needed.to_change


def holder_in(scope: AsgiScope) -> KeyHolder | None:
    """Returns the holder of a request's key; None if none was required."""
    holder = scope.get("state", {}).get("key_holder")
    return holder if isinstance(holder, KeyHolder) else None


def set_holder(scope: AsgiScope, holder: KeyHolder) -> None:
    """Stores the holder of a request's key in its ASGI scope."""
    scope.setdefault("state", {})["key_holder"] = holder


def rejected_key_in(scope: AsgiScope) -> RejectedKey | None:
    """Why the key that a request came with opens nothing; None where one opened, or none was asked for."""
    rejected = scope.get("state", {}).get("rejected_key")
    return rejected if isinstance(rejected, RejectedKey) else None


def set_rejected_key(scope: AsgiScope, rejected: RejectedKey) -> None:
    """Writes down in a request why its key opens nothing."""
    scope.setdefault("state", {})["rejected_key"] = rejected


def require_scope(scope: AsgiScope, needed: Scope | None) -> None:
    """Checks that a request's key has the required scope.

    Raises:
        HTTPException: 403 if it lacks the scope; 401 if there is no key, which `KeyGuard` should have
            rejected before.
    """
    if needed is None:
        return
    holder = holder_in(scope)
    if holder is None:
        raise HTTPException(401, "send an API key", headers={"WWW-Authenticate": "Bearer"})
    if not allows(holder.scopes, needed):
        has = ", ".join(f"`{granted}`" for granted in holder.scopes) or "none"
        raise HTTPException(
            403,
            f"the scope `{needed}` is required; the key {holder.name!r} has {has}",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
        )
