"""Decodes the message of a job: its task and arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flexiprice.errors import CorruptMessage
from flexiprice.queue.arq import DeserializationError, deserialize_job_raw, to_unix_ms
from flexiprice.queue.redis import codec
from flexiprice.queue.redis.keys import instant_of

UNKNOWN_TASK: Final = "<unknown>"
"""The task of a job whose message cannot be decoded. It cannot be retried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMessage:
    """The decoded message of a job: its task and arguments.

    Attributes:
        task: the task's name.
        arguments: the arguments by name.
        unnamed: positional arguments, which no declared task accepts.
        attempt: number of this attempt, from 1.
        enqueued_ms: when the job was enqueued, by the producer's clock; part of the job's identity.
        error: the reason why the message cannot be decoded; None if it can.
    """

    task: str
    arguments: Mapping[str, object]
    unnamed: tuple[object, ...] = ()
    attempt: int = 1
    enqueued_ms: int = 0
    error: DeserializationError | CorruptMessage | None = None


def decode_message(body: bytes | None, *, tries: int, record: Mapping[str, str]) -> JobMessage:
    """Decodes the message of a job; one that cannot be decoded has the task of the job's record.

    Args:
        body: the message as arq encodes it; None if the job has expired.
        tries: number of starts.
        record: the job's record.
    """
    try:
        return _decode(body or b"", tries)
    except DeserializationError as error:
        is_pickled = body is not None and codec.is_pickled(body)
        return JobMessage(
            task=record.get("task", UNKNOWN_TASK),
            arguments={},
            attempt=tries,
            enqueued_ms=to_unix_ms(instant_of(record.get("enqueued"))),
            error=CorruptMessage(codec.PICKLED) if is_pickled else error,
        )


def _decode(body: bytes, tries: int) -> JobMessage:
    function, unnamed, arguments, first_try, enqueued_ms = deserialize_job_raw(
        body, deserializer=codec.decode
    )
    # arq does not check types.
    shape: tuple[object, ...] = (function, unnamed, arguments, first_try or 1, enqueued_ms)
    if not all(map(isinstance, shape, (str, list, dict, int, int))):
        raise DeserializationError("the fields of the job have wrong types")
    return JobMessage(
        task=function,
        arguments=arguments,
        unnamed=tuple(unnamed),
        attempt=max(tries, first_try or 1),
        enqueued_ms=enqueued_ms,
    )
