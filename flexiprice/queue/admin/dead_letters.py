"""Dead letters: tasks that ended without their work being done, until a person retries or dismisses them.

They are kept in Redis beside the results and outlive those, in a list of bounded length; what is pushed out
of it stays in the run history.
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
from flexiprice.queue.redis.dead_letter_scripts import REASONS, REMOVE_DEAD_LETTERS
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason
from flexiprice.settings import Queue

MAX_LISTED: Final = 500
"""Dead letters that one list holds at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A task that needs a person.

    Attributes:
        job_id: of the task; of a bad entry, its name.
        reason: why.
        task: the task's name; None where nobody can tell.
        queue: where it waited.
        error_code: with which it ended.
        message: the same for a person.
        died_at: when it ended.
        losses: how many workers were lost while they ran it.
        retryable: whether what it was to do is known here.
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
    """How many tasks need a person.

    Attributes:
        by_reason: for each reason.
        oldest_at: when the first of them ended.
    """

    by_reason: Mapping[DeadLetterReason, int] = field(default_factory=dict[DeadLetterReason, int])
    oldest_at: datetime | None = None

    @property
    def total(self) -> int:
        """How many in all."""
        return sum(self.by_reason.values())


async def count_dead_letters(redis: ArqRedis) -> DeadLetterCounts:
    """How many tasks need a person.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            for reason in REASONS:
                pipe.zcard(keys.dead_letters_key(reason))
                pipe.zrange(keys.dead_letters_key(reason), 0, 0, withscores=True)
            pipe.hlen(keys.BAD_ENTRIES)
            *found, bad = await pipe.execute()
    counts = {DeadLetterReason(reason): found[2 * index] for index, reason in enumerate(REASONS)}
    first = [score for oldest in found[1::2] for _, score in oldest]
    return DeadLetterCounts(
        by_reason={**counts, DeadLetterReason.BAD_ENTRY: bad},
        oldest_at=keys.instant_of(min(first)) if first else None,
    )


async def list_dead_letters(redis: ArqRedis, *, limit: int = MAX_LISTED) -> tuple[DeadLetter, ...]:
    """The tasks that need a person, the latest first.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    limit = min(limit, MAX_LISTED)
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            for reason in REASONS:
                pipe.zrange(keys.dead_letters_key(reason), 0, limit - 1, desc=True, withscores=True)
            pipe.hgetall(keys.BAD_ENTRIES)
            *lists, bad = await pipe.execute()
        found: list[tuple[float, bytes, str]] = sorted(
            (
                (score, job_id, reason)
                for reason, jobs in zip(REASONS, lists, strict=True)
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
    """What a task on the list was to do, as arq encodes it, and in which queue; None where it is not known.

    Raises:
        redis.RedisError: as redis-py has it.
    """
    (content,) = await _contents(redis, [job_id.encode(errors="replace")])
    told = _read(content)
    body, queue = told.get("body"), told.get("queue")
    return (body, Queue(queue)) if isinstance(body, bytes) and queue in set(Queue) else None


async def remove_dead_letters(redis: ArqRedis, job_ids: Sequence[str]) -> int:
    """Takes tasks off the list; returns how many were on it.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    if not job_ids:
        return 0
    with redis_errors():
        remove = redis.register_script(REMOVE_DEAD_LETTERS)
        return cast("int", await remove(keys=[], args=[*job_ids]))


async def dismiss_dead_letters(tasks: TaskQueue, job_ids: Sequence[str]) -> int:
    """Takes tasks and bad entries off the list for good, with what was kept of them; returns how many.

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
    told = _read(content)
    task, queue = told.get("task"), told.get("queue")
    return DeadLetter(
        job_id=shown_name(job_id),
        reason=reason,
        task=task if isinstance(task, str) else None,
        queue=Queue(queue) if queue in set(Queue) else None,
        error_code=str(told.get("code", FlexiPriceError.code)),
        message=str(told.get("message", "nothing more is known of it")),
        died_at=keys.instant_of(score),
        losses=keys.whole_number(str(told.get("losses", 0))),
        retryable=isinstance(told.get("body"), bytes),
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
