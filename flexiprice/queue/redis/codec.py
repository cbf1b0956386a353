"""Serialises jobs and results safely: as MessagePack or JSON, never as pickle.

`Decimal`, `date`, aware `datetime` and `timedelta` keep their types. Enums become their values, dataclasses
and pydantic models become mappings, tuples and sets become lists. Exceptions are rebuilt from an allow-list,
see `exception_codec`. Decoding cannot build any other type, whatever the bytes contain.

Clients in any language may send jobs as JSON. The result of such a job is JSON too.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum, IntEnum
from typing import Any

import msgspec
from pydantic import BaseModel

from flexiprice.errors import CorruptMessage, InvalidInput
from flexiprice.queue.redis import exception_codec

# Enough for tens of thousands of batch ids.
MAX_BYTES = 1024 * 1024

PICKLED = (
    "the message is not one of ours: it is pickled, and a pickle can run any code; "
    "send MessagePack: create_pool(…, job_serializer=codec.encode, job_deserializer=codec.decode)"
)
"""The error of a pickled job, with advice for its sender."""
# The second byte of a pickle of protocol 2 and later, which every supported Python writes.
_PICKLE_PROTOCOLS = (b"\x02", b"\x03", b"\x04", b"\x05")

_Ext = msgspec.msgpack.Ext


class _Kind(IntEnum):
    """Our MessagePack extension types. The numbers are part of the wire format and never change."""

    DECIMAL = 1
    DATE = 2
    TIMEDELTA = 3
    EXCEPTION = 4


def encode(value: object) -> bytes:
    """Encodes a job or a result.

    Raises:
        InvalidInput: a value has no encoding, or the message exceeds `MAX_BYTES`.
    """
    try:
        encoded = msgspec.msgpack.encode(_plain(value))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"cannot be sent to a worker: {error}") from error
    if len(encoded) > MAX_BYTES:
        raise InvalidInput(f"too large to be sent: {len(encoded):,} bytes, at most {MAX_BYTES:,}")
    return encoded


def encode_json(value: object) -> bytes:
    """Encodes a result as JSON. Decimals and instants become strings, an exception its description.

    Raises:
        InvalidInput: a value has no encoding, or the message exceeds `MAX_BYTES`.
    """
    try:
        encoded = msgspec.json.encode(_plain(value), enc_hook=_json_extension)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"cannot be sent as JSON: {error}") from error
    if len(encoded) > MAX_BYTES:
        raise InvalidInput(f"too large to be sent: {len(encoded):,} bytes, at most {MAX_BYTES:,}")
    return encoded


def encoder_like(body: bytes | None) -> Callable[[object], bytes]:
    """Returns the encoder for the format of a job, so that its sender can read the result."""
    return encode_json if body is not None and is_json(body) else encode


def is_json(encoded: bytes) -> bool:
    """Whether a message is a JSON object. No MessagePack mapping begins with a brace."""
    return encoded[:1] == b"{"


def is_pickled(encoded: bytes) -> bool:
    """Whether a message is a pickle. Pickles are never decoded, because they can run any code."""
    return encoded[:1] == b"\x80" and encoded[1:2] in _PICKLE_PROTOCOLS


def decode(encoded: bytes) -> dict[str, Any]:
    """Decodes a message of `encode` or `encode_json`: a mapping, as arq's jobs and results are.

    Raises:
        CorruptMessage: the bytes are not a valid message.
    """
    if len(encoded) > MAX_BYTES:
        raise CorruptMessage(f"the message has {len(encoded):,} bytes, at most {MAX_BYTES:,} are read")
    if is_pickled(encoded):
        raise CorruptMessage(PICKLED)
    try:
        message = _decode_json(encoded) if is_json(encoded) else _DECODER.decode(encoded)
    except (ValueError, OverflowError, RecursionError, TypeError) as error:
        raise CorruptMessage(f"the message is not one of ours: {error}") from error
    return message


def _plain(value: object) -> object:  # noqa: C901, PLR0911, PLR0912 -- one case for each type
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, str | int | float | bytes):
        return value
    if isinstance(value, Decimal):
        return _Ext(int(_Kind.DECIMAL), str(value).encode())
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone")
        return value.astimezone(UTC)
    if isinstance(value, date):
        return _Ext(int(_Kind.DATE), value.isoformat().encode())
    if isinstance(value, timedelta):
        return _Ext(int(_Kind.TIMEDELTA), str(value // timedelta(microseconds=1)).encode())
    if isinstance(value, BaseException):
        return _Ext(int(_Kind.EXCEPTION), msgspec.msgpack.encode(_plain(exception_codec.describe(value))))
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {_key(key): _plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, Sequence | AbstractSet):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    raise TypeError(f"a value of type {type(value).__name__}")


def _key(key: object) -> str | int:
    if isinstance(key, Enum):
        return _key(key.value)
    if isinstance(key, str | int):
        return key
    raise TypeError(f"a mapping with a key of type {type(key).__name__}")


def _extension(code: int, payload: memoryview) -> object:
    content = bytes(payload)
    try:
        match code:
            case _Kind.DECIMAL:
                return Decimal(content.decode("ascii"))
            case _Kind.DATE:
                return date.fromisoformat(content.decode("ascii"))
            case _Kind.TIMEDELTA:
                return timedelta(microseconds=int(content))
            case _Kind.EXCEPTION:
                return exception_codec.rebuild(_DECODER.decode(content))
            case _:
                pass
    except InvalidOperation as error:
        raise ValueError("not a valid decimal number") from error
    raise ValueError(f"an unknown extension type {code}")


def _decode_json(encoded: bytes) -> dict[str, Any]:
    message = _JSON_DECODER.decode(encoded)
    error = message.get("r")
    if message.get("s") is False and isinstance(error, dict):
        # The result of a failed job.
        message["r"] = exception_codec.rebuild(error)  # pyright: ignore[reportUnknownArgumentType]
    return message


def _json_extension(value: object) -> object:
    if not isinstance(value, _Ext):
        raise TypeError(f"a value of type {type(value).__name__}")
    if value.code == _Kind.EXCEPTION:
        return _DECODER.decode(value.data)
    return _extension(value.code, memoryview(value.data))


_DECODER = msgspec.msgpack.Decoder(dict[str, Any], ext_hook=_extension)
_JSON_DECODER = msgspec.json.Decoder(dict[str, Any])
