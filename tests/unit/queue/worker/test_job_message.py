"""Messages of jobs, of which anything may be wrong, because any client may have written them."""

import pickle
from datetime import UTC, datetime

import pytest

from flexiprice.errors import CorruptMessage
from flexiprice.queue.arq import DeserializationError
from flexiprice.queue.redis import codec
from flexiprice.queue.worker.job_message import decode_message

SOUND = {"t": None, "f": "add", "a": [], "k": {"left": 1}, "et": 1_700_000_000_000}
RECORD = {"task": "of_the_record", "enqueued": "1700000000001"}


@pytest.mark.parametrize("encode", [codec.encode, codec.encode_json])
def test_a_message_is_a_task_with_its_arguments(encode) -> None:
    message = decode_message(encode({**SOUND, "t": 3}), tries=2, record=RECORD)

    assert (message.task, message.arguments, message.unnamed) == ("add", {"left": 1}, ())
    assert (message.attempt, message.enqueued_ms, message.error) == (3, 1_700_000_000_000, None)


@pytest.mark.parametrize(
    "wrong", [{"f": 7}, {"a": None}, {"a": 7}, {"k": []}, {"t": "first"}, {"et": datetime.now(UTC)}]
)
def test_a_message_with_a_field_of_a_wrong_type_is_unreadable(wrong: dict[str, object]) -> None:
    message = decode_message(codec.encode({**SOUND, **wrong}), tries=2, record=RECORD)

    assert isinstance(message.error, DeserializationError)
    assert (message.task, message.attempt, message.arguments) == ("of_the_record", 2, {})
    assert message.enqueued_ms == 1_700_000_000_001


@pytest.mark.parametrize("body", [None, b"", b"rubbish", b"{}", codec.encode({"f": "add"})])
def test_bytes_that_are_no_message_are_unreadable(body: bytes | None) -> None:
    message = decode_message(body, tries=1, record={})

    assert isinstance(message.error, DeserializationError)
    assert (message.task, message.enqueued_ms) == ("<unknown>", 0)


def test_a_pickled_message_says_what_to_send_instead() -> None:
    message = decode_message(pickle.dumps(SOUND), tries=1, record={})

    assert isinstance(message.error, CorruptMessage)
    assert "send MessagePack" in message.error.message
