"""Redacts secrets in arguments, results and errors of jobs, and limits their size."""

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
"""Maximum size of a job's redacted arguments as JSON."""
MAX_RESULT_BYTES: Final = 8_192
"""Maximum size of a run's redacted result as JSON."""

_HIDDEN: Final = "***"
_MAX_STRING: Final = 500
_MAX_ITEMS: Final = 50
_MAX_DEPTH: Final = 6
# Limits of string length, items and depth; tried in order until the size fits.
_LIMITS: Final = ((_MAX_STRING, _MAX_ITEMS, _MAX_DEPTH), (120, 10, 4), (40, 3, 2))
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
    """Redacts and truncates a job's arguments to JSON of limited size.

    Values are secret by their name (password, token, key, …). In texts, the user part of URLs and
    authorization headers are hidden. Truncated texts, lists and mappings end with the amount left out.

    Args:
        arguments: the arguments by name, of any type.
        max_bytes: maximum size of the result as UTF-8 encoded JSON.
    """
    bounded = _bounded(arguments, max_bytes)
    return cast("dict[str, Any]", bounded) if isinstance(bounded, dict) else {"…": bounded}


def masked_result(result: object, *, max_bytes: int = MAX_RESULT_BYTES) -> object:
    """Redacts and truncates a task's result like `redact`; None stays None."""
    return None if result is None else _bounded(result, max_bytes)


def redact_text(text: str) -> str:
    """Hides the user part of URLs and authorization headers in a message or traceback."""
    return _BEARER.sub(rf"\g<scheme> {_HIDDEN}", without_secrets(text))


def _bounded(value: object, max_bytes: int) -> object:
    try:
        plain: object = to_jsonable_python(value, bytes_mode="base64", serialize_unknown=True)
    except (ValueError, TypeError, RecursionError):
        # It contains itself, or its conversion fails.
        return f"a {type(value).__name__} that cannot be shown"
    size = 0
    for max_string, max_items, max_depth in _LIMITS:
        truncated = _truncate(plain, max_string, max_items, max_depth)
        size = len(json.dumps(truncated, ensure_ascii=False).encode(errors="replace"))
        if size <= max_bytes:
            return truncated
    return f"too large to be kept ({size:,} bytes when cut short)"


def _truncate(value: object, max_string: int, max_items: int, depth: int) -> object:
    if isinstance(value, str):
        return _cut(redact_text(value), max_string)
    if not isinstance(value, dict | list):
        return _truncate_number(value)
    value = cast("dict[str, object] | list[object]", value)
    if depth == 0:
        return f"… {len(value):,} more"
    missing = len(value) - max_items
    if isinstance(value, dict):
        shown = {
            _cut(name, max_string): _HIDDEN
            if _is_secret(name) and item is not None
            else _truncate(item, max_string, max_items, depth - 1)
            for name, item in islice(value.items(), max_items)
        }
        return {**shown, "…": f"{missing:,} more"} if missing > 0 else shown
    items = [_truncate(item, max_string, max_items, depth - 1) for item in value[:max_items]]
    return [*items, f"… {missing:,} more"] if missing > 0 else items


def _truncate_number(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and value.bit_length() > 64:
        # Other JSON parsers have this limit, and formatting thousands of digits fails or is slow.
        return f"a number of {value.bit_length():,} bits"
    return value


def _is_secret(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    return not _SECRET_WORDS.isdisjoint(words) or _SECRET_RUNS.search("".join(words)) is not None


def _cut(text: str, length: int) -> str:
    return (
        text if len(text) <= length else f"{text[:length]}… {counted(len(text) - length, 'more character')}"
    )
