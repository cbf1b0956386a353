"""Encodes the result of a finished job as arq stores it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from flexiprice.errors import InvalidInput
from flexiprice.queue.arq import serialize_result
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.worker.job_message import UNKNOWN_TASK, JobMessage
from flexiprice.queue.worker.outcomes import FinalOutcome, Succeeded
from flexiprice.settings import Queue


def encode_result(
    message: JobMessage,
    outcome: FinalOutcome,
    *,
    job_id: str,
    queue: Queue,
    body: bytes | None,
    started_ms: int,
    finished_ms: int,
) -> bytes:
    """Encodes the result of a job in the format of its message.

    If the arguments leave no room for an error, they are dropped.

    Args:
        message: the job's message.
        outcome: the outcome of its last run.
        job_id: the job.
        queue: its queue.
        body: the message as arq encodes it.
        started_ms: when the last run started.
        finished_ms: when it ended.

    Raises:
        InvalidInput: the task's return value or the error cannot be encoded, or is too large.
    """

    def encode(message: JobMessage) -> bytes:
        fields = serialize_result(
            message.task,
            message.unnamed,
            dict[str, Any](message.arguments),
            message.attempt,
            message.enqueued_ms,
            outcome.error is None,
            outcome.result if isinstance(outcome, Succeeded) else outcome.error,
            started_ms,
            finished_ms,
            job_id,
            keys.queue_key(queue),
            job_id,
            serializer=_unencoded,
        )
        try:
            return codec.encoder_like(body)(fields)
        except InvalidInput:
            raise
        except Exception as error:
            # Reading a value of any type can raise any error.
            raise InvalidInput(f"it cannot be read: {type(error).__name__}") from error

    try:
        return encode(message)
    except InvalidInput:
        if isinstance(outcome, Succeeded):
            raise
    # Without the task's name, the job cannot be retried with other arguments than its own.
    return encode(replace(message, task=UNKNOWN_TASK, arguments={}, unnamed=()))


def _unencoded(fields: Mapping[str, Any]) -> bytes:
    # arq would replace a value that cannot be encoded by a text, and hide the reason.
    return cast("bytes", fields)
