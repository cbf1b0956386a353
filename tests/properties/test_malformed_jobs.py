"""Decoding any bytes from Redis gives plain values or a clear error, and runs no code."""

import os
import pickle
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiprice.errors import CorruptMessage, FlexiPriceError
from flexiprice.queue.redis import codec

MARK = "FLEXIPRICE_BOMB_WENT_OFF"
PLAIN = (str, int, float, bool, bytes, Decimal, date, datetime, timedelta, BaseException, type(None))


class Bomb:
    """Unpickled, it leaves a mark."""

    def __init__(self, *inside: object) -> None:
        self.inside = inside

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return exec, (f"import os; os.environ[{MARK!r}] = '1'",)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.builds(
        msgspec.msgpack.Ext,
        st.integers(0, 6) | st.integers(-128, 127),
        st.binary(max_size=40)
        | st.sampled_from([b"NaN", b"1e999999999", b"0" * 300, b"9999-12-31", b"\x00", b"\xff\xfe", b"\xc1"])
        | st.dictionaries(
            st.sampled_from(["kind", "message", "traceback", "code", "details", "args"]),
            st.sampled_from(
                ["NotFound", "ValueError", "SystemExit", "os.system", "\x00", 1, None, {"self": 1}]
            ),
        ).map(msgspec.msgpack.encode),
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
messages = st.dictionaries(st.text(max_size=8), values, max_size=5).map(msgspec.msgpack.encode)
# A mapping in a mapping in a mapping …, or a list; deeper than any stack.
nested = st.builds(
    lambda step, depth: b"\x81\xa1a" + step * depth + b"\xc0",
    st.sampled_from([b"\x91", b"\x81\xa1a"]),
    st.sampled_from([1, 200, 900, 1100, 100_000]),
)
pickles = st.builds(
    lambda content, protocol: pickle.dumps({"f": Bomb(), "a": content}, protocol),
    st.text(max_size=10) | st.integers(),
    st.integers(0, pickle.HIGHEST_PROTOCOL),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message of ours in which some bytes are others, more or fewer."""
    message = bytearray(draw(messages))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(message)))
        message[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return bytes(message)


def is_plain(value: Any) -> bool:
    # Without recursion, because a value may be nested almost too deeply.
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            left += [*part, *part.values()]
        elif isinstance(part, list):
            left += part
        elif not isinstance(part, PLAIN):
            return False
    return True


@given(messages | damaged() | nested | pickles | st.binary(max_size=60))
def test_hostile_bytes_come_to_plain_values_or_one_clear_error(hostile: bytes) -> None:
    try:
        decoded = codec.decode(hostile)
    except CorruptMessage as error:
        said = str(error)
    else:
        assert isinstance(decoded, dict)
        assert is_plain(decoded)
        said = ""
    assert len(said) < 1000
    assert said.isprintable()
    assert MARK not in os.environ


def test_pickled_bomb_runs_code_when_it_is_unpickled() -> None:
    try:
        pickle.loads(pickle.dumps(Bomb()))
        assert os.environ.get(MARK) == "1"
    finally:
        os.environ.pop(MARK, None)


@given(values)
def test_decoded_values_can_be_encoded_again_or_are_refused(value: object) -> None:
    try:
        decoded = codec.decode(msgspec.msgpack.encode({"value": value}))
    except CorruptMessage:
        return
    try:
        codec.encode(decoded)
    except FlexiPriceError as error:
        pytest.fail(f"{decoded!r}: {error}")
