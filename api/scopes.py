"""What a key must be allowed for which endpoint: one table, which the documentation is made from too."""

from collections.abc import Iterable, Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import Scope as AsgiScope

from flexiprice.domain.access import Scope
from flexiprice.services.api_keys import KeyHolder

_READING: Final = frozenset({"GET", "HEAD"})
_TO_CHANGE: Final[Mapping[str, Scope]] = {
    "stores": Scope.PRICES,
    "products": Scope.PRICES,
    "batches": Scope.PRICES,
    "discounts": Scope.PRICES,
    "policies": Scope.PRICES,
    "tasks": Scope.ADMIN,
    "queues": Scope.ADMIN,
    "schedules": Scope.ADMIN,
    "workers": Scope.ADMIN,
}


def needed_scope(methods: Iterable[str], tags: Iterable[str]) -> Scope:
    """What an endpoint under `/admin` asks for; whatever the table does not name asks for everything.

    Args:
        methods: by which the endpoint is called.
        tags: under which the documentation lists it.
    """
    if _READING.issuperset(methods):
        return Scope.READ
    return max(
        (_TO_CHANGE.get(tag, Scope.ADMIN) for tag in tags), key=tuple(Scope).index, default=Scope.ADMIN
    )


def holder_in(scope: AsgiScope) -> KeyHolder | None:
    """Whose key a request came with; None where none was asked for."""
    holder = scope.get("state", {}).get("key_holder")
    return holder if isinstance(holder, KeyHolder) else None


def set_holder(scope: AsgiScope, holder: KeyHolder) -> None:
    """Writes down in a request whose key it came with."""
    scope.setdefault("state", {})["key_holder"] = holder


def require_scope(scope: AsgiScope, needed: Scope) -> None:
    """Lets a request go on whose key may do what is needed.

    Raises:
        HTTPException: it may not; 403.
    """
    holder = holder_in(scope)
    if holder is not None and not holder.scope.allows(needed):
        raise HTTPException(
            403,
            f"this needs the scope `{needed}`, and the key {holder.name!r} has `{holder.scope}`",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
        )
