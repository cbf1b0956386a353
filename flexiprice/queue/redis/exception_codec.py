"""Encodes exceptions as descriptions, and rebuilds them from an allow-list.

Other exceptions arrive as `RemoteError`, so a message cannot make this process build, import or run anything.
"""

import asyncio
import traceback
from collections.abc import Iterator, Mapping
from typing import Final

from flexiprice.errors import FlexiPriceError, RemoteError
from flexiprice.queue.arq import DeserializationError, JobExecutionFailed, SerializationError
from flexiprice.telemetry import without_secrets

_MESSAGE_LIMIT: Final = 2_000
_TRACEBACK_LIMIT: Final = 16_000
TRACEBACK_NOTE: Final = "Raised by a worker:\n"
"""Prefix of the note with the original traceback of a rebuilt exception."""

_FOREIGN: Final[Mapping[str, type[BaseException]]] = {
    kind.__name__: kind
    for kind in (
        ArithmeticError,
        AssertionError,
        AttributeError,
        ConnectionError,
        EOFError,
        IndexError,
        KeyError,
        LookupError,
        MemoryError,
        NotImplementedError,
        OSError,
        OverflowError,
        PermissionError,
        RecursionError,
        RuntimeError,
        TimeoutError,
        TypeError,
        UnicodeError,
        ValueError,
        ZeroDivisionError,
        asyncio.CancelledError,
        DeserializationError,
        JobExecutionFailed,
        SerializationError,
    )
}


def text_of(value: object) -> str:
    """Returns the text of an error of a task, or says that its `__str__` raises."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - the code of a task
        return f"{type(value).__name__}, whose text cannot be read"


def describe(error: BaseException) -> dict[str, object]:
    """Describes an exception: type, message, details, and the traceback as text."""
    # The text of a KeyError is its quoted key; a rebuilt one would quote it again.
    message = text_of(error.args[0] if isinstance(error, KeyError) and error.args else error)
    description: dict[str, object] = {
        "kind": type(error).__name__,
        "message": without_secrets(message)[:_MESSAGE_LIMIT],
        "traceback": without_secrets("".join(traceback.format_exception(error)))[-_TRACEBACK_LIMIT:],
    }
    if isinstance(error, FlexiPriceError):
        description["code"] = error.code
        description["details"] = {
            name: value if isinstance(value, str | int | float | bool | None) else str(value)
            for name, value in error.details.items()
        }
    return description


def rebuild(description: Mapping[str, object]) -> BaseException:
    """Rebuilds an exception from its description, or a `RemoteError` if it is not on the allow-list.

    Raises:
        ValueError: the description is invalid.
    """
    kind, message, text = description.get("kind"), description.get("message"), description.get("traceback")
    code, details = description.get("code"), description.get("details")
    if not (isinstance(kind, str) and isinstance(message, str) and isinstance(text, str)):
        raise ValueError("a description without type, message or traceback")  # noqa: TRY004 -- invalid data, not a wrong call
    error: BaseException | None = None
    if isinstance(code, str) and isinstance(details, dict):
        error = _ours(kind, message, {str(name): value for name, value in details.items()})  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    elif kind in _FOREIGN:
        error = _FOREIGN[kind](message) if message else _FOREIGN[kind]()
    if error is None:
        return RemoteError(message, kind=kind, traceback=text, code=code if isinstance(code, str) else "")
    error.add_note(f"{TRACEBACK_NOTE}{text}")
    return error


def _ours(kind: str, message: str, details: dict[str, object]) -> FlexiPriceError | None:
    for candidate in _family(FlexiPriceError):
        # A class with its own constructor needs arguments that were not sent.
        if candidate.__name__ == kind and candidate.__init__ is FlexiPriceError.__init__:
            return candidate(message, **details)
    return None


def _family(kind: type[FlexiPriceError]) -> Iterator[type[FlexiPriceError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)
