"""Dead letters: jobs that failed finally, listed until an operator retries or dismisses them.

Redis keeps them longer than the results, in a list of bounded length. Entries that are dropped from the list
stay in the run history.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

from flexiprice.errors import CorruptMessage, FlexiPriceError
from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.bad_entries import BadEntry, named, read_bad_entry, shown_name
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.redis.scripts import REMOVE_DEAD_LETTERS
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason
from flexiprice.settings import Queue

MAX_LISTED: Final = 500
"""Maximum number of listed dead letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A dead letter.

    Attributes:
        job_id: the job's id, or the name of a bad entry.
        reason: the reason.
        task: the task's name; None if unknown.
        queue: the queue of the job.
        error_code: code of its error.
        message: the error for people.
        died_at: when it ended.
        losses: number of workers that were lost while they ran it.
        retryable: whether its message is stored, so that it can be retried.
    """

    job_id: str
    reason: DeadLetterReason
    task: str | None
    queue: Queue | None
    error_code: str
    message: str
    died_at: datetime
    losses: int = 0
    retryable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterCounts:
    """The number of dead letters.

    Attributes:
        by_reason: the number for each reason.
        oldest_at: when the oldest ended.
    """

    by_reason: Mapping[DeadLetterReason, int] = field(default_factory=dict[DeadLetterReason, int])
    oldest_at: datetime | None = None

    @property
    def total(self) -> int:
        """The number of all dead letters."""
        return sum(self.by_reason.values())


async def count_dead_letters(redis: ArqRedis) -> DeadLetterCounts:
    """Counts the dead letters.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            for reason in keys.DEAD_LETTER_REASONS:
                pipe.zcard(keys.dead_letters_key(reason))
                pipe.zrange(keys.dead_letters_key(reason), 0, 0, withscores=True)
            pipe.hlen(keys.BAD_ENTRIES)
            *found, bad = await pipe.execute()
    counts = {
        DeadLetterReason(reason): found[2 * index] for index, reason in enumerate(keys.DEAD_LETTER_REASONS)
    }
    first = [score for oldest in found[1::2] for _, score in oldest]
    return DeadLetterCounts(
        by_reason={**counts, DeadLetterReason.BAD_ENTRY: bad},
        oldest_at=keys.instant_of(min(first)) if first else None,
    )


async def list_dead_letters(redis: ArqRedis, *, limit: int = MAX_LISTED) -> tuple[DeadLetter, ...]:
    """Lists the dead letters, the latest first.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    limit = min(limit, MAX_LISTED)
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            for reason in keys.DEAD_LETTER_REASONS:
                pipe.zrange(keys.dead_letters_key(reason), 0, limit - 1, desc=True, withscores=True)
            pipe.hgetall(keys.BAD_ENTRIES)
            *lists, bad = await pipe.execute()
        found: list[tuple[float, bytes, str]] = sorted(
            (
                (score, job_id, reason)
                for reason, jobs in zip(keys.DEAD_LETTER_REASONS, lists, strict=True)
                for job_id, score in jobs
            ),
            reverse=True,
        )[:limit]
        contents = await _contents(redis, [job_id for _, job_id, _ in found])
    letters = [
        _letter(job_id, DeadLetterReason(reason), score, content)
        for (score, job_id, reason), content in zip(found, contents, strict=True)
    ]
    letters += [_of_bad_entry(read_bad_entry(name, content)) for name, content in bad.items()]
    return tuple(sorted(letters, key=lambda letter: letter.died_at, reverse=True)[:limit])


async def find_body(redis: ArqRedis, job_id: str) -> tuple[bytes, Queue] | None:
    """Returns the message of a dead letter and its queue; None if they are not stored.

    Raises:
        redis.RedisError: the call to Redis failed.
    """
    (content,) = await _contents(redis, [job_id.encode(errors="replace")])
    fields = _read(content)
    body, queue = fields.get("body"), fields.get("queue")
    return (body, Queue(queue)) if isinstance(body, bytes) and queue in set(Queue) else None


async def remove_dead_letters(redis: ArqRedis, job_ids: Sequence[str]) -> int:
    """Removes dead letters; returns how many there were.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    if not job_ids:
        return 0
    with redis_errors():
        remove = redis.register_script(REMOVE_DEAD_LETTERS)
        return cast("int", await remove(keys=[], args=[*job_ids]))


async def dismiss_dead_letters(tasks: TaskQueue, job_ids: Sequence[str]) -> int:
    """Deletes dead letters and bad entries with their data; returns how many there were.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    redis = tasks.redis
    dismissed = await remove_dead_letters(redis, job_ids)
    with redis_errors():
        if job_ids:
            await cast("Awaitable[int]", redis.hdel(keys.QUARANTINE, *job_ids))
        names = await cast("Awaitable[list[bytes]]", redis.hkeys(keys.BAD_ENTRIES))
        for name in [found for job_id in job_ids if (found := named(names, job_id)) is not None]:
            dismissed += await cast("Awaitable[int]", redis.hdel(keys.BAD_ENTRIES, name))  # type: ignore[arg-type]
            await redis.unlink(keys.bad_entry_key("").encode() + name)
    return dismissed


async def _contents(redis: ArqRedis, job_ids: Sequence[bytes]) -> list[bytes | None]:
    if not job_ids:
        return []
    return await cast("Awaitable[list[bytes | None]]", redis.hmget(keys.DEAD_LETTERS, list(job_ids)))


def _read(content: bytes | None) -> Mapping[str, Any]:
    try:
        return codec.decode(content or b"")
    except CorruptMessage:
        return {}


def _letter(job_id: bytes, reason: DeadLetterReason, score: float, content: bytes | None) -> DeadLetter:
    fields = _read(content)
    task, queue = fields.get("task"), fields.get("queue")
    return DeadLetter(
        job_id=shown_name(job_id),
        reason=reason,
        task=task if isinstance(task, str) else None,
        queue=Queue(queue) if queue in set(Queue) else None,
        error_code=str(fields.get("code", FlexiPriceError.code)),
        message=str(fields.get("message", "no details are stored")),
        died_at=keys.instant_of(score),
        losses=keys.whole_number(str(fields.get("losses", 0))),
        retryable=isinstance(fields.get("body"), bytes),
    )


def _of_bad_entry(entry: BadEntry) -> DeadLetter:
    return DeadLetter(
        job_id=entry.name,
        reason=DeadLetterReason.BAD_ENTRY,
        task=None,
        queue=None,
        error_code=CorruptMessage.code,
        message=f"set aside in Redis: {entry.reason}",
        died_at=entry.found_at,
    )
