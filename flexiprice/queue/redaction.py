"""What may be kept and shown of a job's arguments, results and errors: no secrets, and not too much."""

import json
import math
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, cast

from pydantic_core import to_jsonable_python

from flexiprice.plurals import counted
from flexiprice.telemetry import without_secrets

MAX_ARGUMENTS_BYTES: Final = 4_096
"""Of a job's arguments as JSON."""
MAX_RESULT_BYTES: Final = 8_192
"""Of a run's result as JSON."""

_HIDDEN: Final = "***"
_MAX_STRING: Final = 500
_MAX_ITEMS: Final = 50
_MAX_DEPTH: Final = 6
# One look is enough to know what a job was about; more detail than this is dropped before less of it.
_SHORTER: Final = ((_MAX_STRING, _MAX_ITEMS, _MAX_DEPTH), (120, 10, 4), (40, 3, 2))
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS: Final = frozenset(
    [
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "credential",
        "credentials",
        "dsn",
        "key",
        "keys",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "pwd",
        "secret",
        "secrets",
        "signature",
        "token",
        "tokens",
    ]
)
_SECRET_RUNS: Final = re.compile(r"passw|secret|apikey|credential|authorization|accesstoken|privatekey")
_BEARER: Final = re.compile(r"\b(?P<scheme>bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)


def redact(arguments: Mapping[str, object], *, max_bytes: int = MAX_ARGUMENTS_BYTES) -> dict[str, Any]:
    """A job's arguments as they may be kept: JSON, bounded, with secrets hidden at every depth.

    A value is secret by its name (a password, token, key, …), or where a text holds the user of a URL
    or an authorization. Long texts, lists and mappings end with a remark of how much is missing.

    Args:
        arguments: by name; anything, whether JSON knows it or not.
        max_bytes: of what is returned, as UTF-8 encoded JSON.
    """
    bounded = _bounded(arguments, max_bytes)
    return cast("dict[str, Any]", bounded) if isinstance(bounded, dict) else {"…": bounded}


def masked_result(result: object, *, max_bytes: int = MAX_RESULT_BYTES) -> object:
    """What a task returned, as `masked` does it with arguments; None stays None."""
    return None if result is None else _bounded(result, max_bytes)


def redact_text(text: str) -> str:
    """A message or traceback with the user of every URL and every authorization hidden."""
    return _BEARER.sub(rf"\g<scheme> {_HIDDEN}", without_secrets(text))


def _bounded(value: object, max_bytes: int) -> object:
    try:
        plain: object = to_jsonable_python(value, bytes_mode="base64", serialize_unknown=True)
    except (ValueError, TypeError, RecursionError):
        # It contains itself, or cannot even say what it is.
        return f"a {type(value).__name__} that cannot be shown"
    size = 0
    for max_string, max_items, max_depth in _SHORTER:
        kept = _kept(plain, max_string, max_items, max_depth)
        size = len(json.dumps(kept, ensure_ascii=False).encode(errors="replace"))
        if size <= max_bytes:
            return kept
    return f"too large to be kept ({size:,} bytes when cut short)"


def _kept(value: object, max_string: int, max_items: int, depth: int) -> object:
    if isinstance(value, str):
        return _cut(redact_text(value), max_string)
    if not isinstance(value, dict | list):
        return _kept_number(value)
    value = cast("dict[str, object] | list[object]", value)
    if depth == 0:
        return f"… {len(value):,} more"
    missing = len(value) - max_items
    if isinstance(value, dict):
        shown = {
            _cut(name, max_string): _HIDDEN
            if _is_secret(name) and item is not None
            else _kept(item, max_string, max_items, depth - 1)
            for name, item in islice(value.items(), max_items)
        }
        return {**shown, "…": f"{missing:,} more"} if missing > 0 else shown
    items = [_kept(item, max_string, max_items, depth - 1) for item in value[:max_items]]
    return [*items, f"… {missing:,} more"] if missing > 0 else items


def _kept_number(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and value.bit_length() > 64:
        # Other readers of JSON stop there, and printing one of thousands of digits is refused or slow.
        return f"a number of {value.bit_length():,} bits"
    return value


def _is_secret(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    return not _SECRET_WORDS.isdisjoint(words) or _SECRET_RUNS.search("".join(words)) is not None


def _cut(text: str, length: int) -> str:
    return (
        text if len(text) <= length else f"{text[:length]}… {counted(len(text) - length, 'more character')}"
    )
