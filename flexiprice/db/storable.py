"""Makes any text storable."""

from collections.abc import Mapping, Sequence
from typing import cast


def storable(value: object) -> object:
    """Replaces the characters that PostgreSQL cannot store, NUL and unpaired surrogates, by U+FFFD and `?`.

    Args:
        value: a text, or plain data with texts in it.
    """
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        case Mapping():
            entries = cast("Mapping[object, object]", value)
            return {storable(name): storable(item) for name, item in entries.items()}
        case list() | tuple():
            return [storable(item) for item in cast("Sequence[object]", value)]
        case _:
            return value
