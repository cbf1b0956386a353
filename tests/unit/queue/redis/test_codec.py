import asyncio
import pickle
import traceback
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum

import msgspec
import pytest
from arq.jobs import DeserializationError, deserialize_job, serialize_job
from arq.worker import JobExecutionFailed
from hypothesis import given
from hypothesis import strategies as st

from flexiprice.errors import (
    CorruptMessage,
    FlexiPriceError,
    InvalidInput,
    InvalidPolicy,
    NotFound,
    Problem,
    RemoteError,
)
from flexiprice.queue.redis import codec


class Colour(StrEnum):
    RED = "red"


class Level(Enum):
    HIGH = 3


@dataclass(frozen=True, slots=True)
class Summary:
    closed: int
    value: Decimal
    colour: Colour


def through(value: object) -> object:
    """A value after encoding and decoding."""
    return codec.decode(codec.encode({"value": value}))["value"]


def arrived(error: BaseException) -> BaseException:
    """The exception that arrives at the other end."""
    rebuilt = through(error)
    assert isinstance(rebuilt, BaseException)
    return rebuilt


def raised(error: BaseException) -> BaseException:
    """The exception with a traceback, as a task leaves it."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        2**63,
        -1,
        1.5,
        "naïve",
        b"\x00\xff",
        Decimal("0.10"),
        Decimal("-1E+3"),
        date(2024, 2, 29),
        datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC),
        timedelta(days=-1, microseconds=1),
        [1, [Decimal(2)]],
        {"a": {"b": date(2024, 1, 1)}},
    ],
)
def test_values_arrive_as_they_were_sent(value: object):
    received = through(value)

    assert received == value
    assert type(received) is type(value)


def test_decimals_keep_their_digits():
    assert str(through(Decimal("1.500"))) == "1.500"


def test_instants_arrive_in_utc():
    received = through(datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))))

    assert received == datetime(2024, 1, 1, tzinfo=UTC)
    assert received.tzinfo is not None


def test_enums_dataclasses_and_tuples_arrive_plain():
    assert through((Level.HIGH, Summary(closed=1, value=Decimal("2.5"), colour=Colour.RED))) == [
        3,
        {"closed": 1, "value": Decimal("2.5"), "colour": "red"},
    ]


@pytest.mark.parametrize("value", [object(), datetime(2024, 1, 1), {(1, 2): 3}, 2**70, lambda: None])  # noqa: DTZ001
def test_value_that_cannot_be_encoded_is_refused_at_once(value: object):
    with pytest.raises(InvalidInput):
        codec.encode({"value": value})


def test_value_that_contains_itself_is_refused():
    loop: list[object] = []
    loop.append(loop)

    with pytest.raises(InvalidInput):
        codec.encode(loop)


def test_a_message_that_is_too_large_is_refused_on_both_sides():
    with pytest.raises(InvalidInput, match="too large"):
        codec.encode({"value": "x" * codec.MAX_BYTES})
    with pytest.raises(CorruptMessage):
        codec.decode(msgspec.msgpack.encode({"value": "x" * codec.MAX_BYTES}))


def test_our_errors_arrive_as_they_were_raised():
    error = arrived(raised(NotFound("no such batch", batch_id=7)))

    assert type(error) is NotFound
    assert error.message == "no such batch"
    assert error.details == {"batch_id": 7}


def test_every_error_of_ours_keeps_its_code():
    def family(kind: type[FlexiPriceError]) -> list[type[FlexiPriceError]]:
        return [kind, *(found for child in kind.__subclasses__() for found in family(child))]

    for kind in family(FlexiPriceError):
        if kind.__init__ is not FlexiPriceError.__init__:
            continue
        assert type(arrived(kind("why"))) is kind

    policy_error = arrived(InvalidPolicy([Problem("rules.0", "bad")]))
    assert isinstance(policy_error, RemoteError)
    assert policy_error.remote_code == "invalid_policy"


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        TimeoutError(),
        ValueError("bad"),
        KeyError("key"),
        JobExecutionFailed("job expired"),
        ZeroDivisionError("by zero"),
    ],
)
def test_well_known_exceptions_arrive_as_they_were_raised(error: BaseException):
    received = arrived(raised(error))

    assert type(received) is type(error)
    assert received.args == error.args


def test_unlisted_exception_arrives_as_remote_error_with_its_traceback():
    class Unheard(Exception):
        pass

    error = arrived(raised(Unheard("of")))

    assert isinstance(error, RemoteError)
    assert (error.kind, error.message) == ("Unheard", "of")
    assert "in raised" in error.traceback


def test_the_remote_traceback_is_shown_with_the_exception():
    error = arrived(raised(ValueError("bad")))

    assert "in raised" in "".join(traceback.format_exception(error))


def test_passwords_in_urls_do_not_travel():
    error = arrived(raised(RuntimeError("cannot reach postgresql://shop:hunter2@db/prices")))

    assert "hunter2" not in "".join(traceback.format_exception(error))
    assert "postgresql://***@db/prices" in str(error)


class Bomb:
    """Unpickled, it would run code."""

    fell = False

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("from tests.unit.queue.redis import test_codec",)


def extension(code: int, payload: bytes) -> bytes:
    return msgspec.msgpack.encode({"value": msgspec.msgpack.Ext(code, payload)})


def fault(**description: object) -> bytes:
    return extension(4, msgspec.msgpack.encode(description))


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\xc1",
        pickle.dumps({"f": "x"}),
        pickle.dumps(Bomb()),
        msgspec.msgpack.encode([1, 2]),
        extension(99, b""),
        extension(1, b"not a number"),
        extension(2, b"2024-99-99"),
        extension(3, b"9" * 400),
        fault(kind="SystemExit"),
        fault(kind="NotFound", message="", traceback="", code="x", details={"self": 1}),
        b"\x81\xa1a" + b"\x91" * 100_000,
    ],
)
def test_foreign_bytes_raise_a_clear_error(hostile: bytes):
    with pytest.raises(CorruptMessage, match="not one of ours"):
        codec.decode(hostile)


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_fail_with_a_clear_error(noise: bytes):
    try:
        decoded = codec.decode(noise)
    except CorruptMessage:
        return
    assert isinstance(decoded, dict)


@pytest.mark.parametrize(
    "kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException", "eval", "os.system"]
)
def test_no_exception_off_the_list_is_ever_built(kind: str):
    message = fault(kind=kind, message="m", traceback="t")

    assert type(codec.decode(message)["value"]) is RemoteError


def test_arq_accepts_the_codec_as_its_serializer():
    job = serialize_job("add", (), {"left": Decimal(1)}, None, 1_700_000_000_000, serializer=codec.encode)

    definition = deserialize_job(job, deserializer=codec.decode)

    assert (definition.function, definition.kwargs) == ("add", {"left": Decimal(1)})
    with pytest.raises(DeserializationError):
        deserialize_job(b"rubbish", deserializer=codec.decode)
