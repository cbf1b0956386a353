"""Hooks for Schemathesis: bodies of lines, dates within bounds, short waits."""

from typing import Any

import schemathesis
from hypothesis import strategies as st

_FIRST_YEAR, _LAST_YEAR = 1970, 2999


def _years(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return strategy.filter(lambda moment: _FIRST_YEAR <= moment.year <= _LAST_YEAR)


@schemathesis.serializer("application/octet-stream")
def lines(_: schemathesis.SerializationContext, value: object) -> object:
    """Lines are sent as they were made."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@schemathesis.hook
def map_query(_: schemathesis.HookContext, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """A wait that is granted shows nothing that a short one does not."""
    if query and isinstance(wait := query.get("wait"), int | float) and wait > 0:
        return {**query, "wait": min(wait, 0.2)}
    return query
