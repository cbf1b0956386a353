"""Names of everything that FlexiPrice keeps in Redis beside arq's own keys.

arq keeps a job in `arq:job:<id>`, its result in `arq:result:<id>`, its place in its queue's sorted set,
and `arq:in-progress:<id>` while it runs. What arq forgets and a status must tell is in our record.
"""

from datetime import UTC, datetime
from typing import Final

from flexiprice.queue.arq import (
    abort_jobs_ss,
    default_queue_name,
    in_progress_key_prefix,
    job_key_prefix,
    result_key_prefix,
    retry_key_prefix,
)
from flexiprice.settings import Queue

# arq's default queue, into which plain arq clients enqueue; workers route its jobs to their tasks' queues.
DEFAULT_QUEUE = default_queue_name
# The sorted set in which arq keeps the ids of jobs that are to be aborted.
ABORTED_JOBS = abort_jobs_ss
# The sorted set of the ids of workers that nobody counts as lost, by the instant (ms) of their heartbeat.
WORKERS = "flexiprice:workers"
# The sorted set of the ids of workers that count as lost and whose jobs are yet to be given back.
LOST_WORKERS = "flexiprice:lost-workers"
# The sorted set of the ids of workers that are gone and of whom the history does not know every run yet.
RUN_OUTBOX_WORKERS = "flexiprice:untold-workers"
# A hash of job ids and the bytes in their stead that nobody could read.
QUARANTINE = "flexiprice:quarantine"
# A hash of entries that nobody could use and that are out of the way: since when (ms) and why, by key.
BAD_ENTRIES = "flexiprice:bad-entries"
# A hash of the tasks that need a person, by job id; see `dead_letters`.
DEAD_LETTERS = "flexiprice:dead-letters"
# The sorted set of workers that died lately, by when (ms) that was found.
RECENT_DEATHS = "flexiprice:recent-deaths"
# The sorted set of jobs that wait for their parts, by since when (ms).
AWAITING_PARTS = "flexiprice:awaiting-parts"
# A hash of the queues from which nothing is taken, by the names of arq's sets: since when (ms), by whom.
PAUSED_QUEUES = "flexiprice:paused-queues"


# A channel on which nothing is told.
NOTHING = "flexiprice:nothing"
# Written and gone within a millisecond: whether Redis takes writes.
WRITE_PROBE = "flexiprice:write-probe"


def queue_key(queue: Queue) -> str:
    """The sorted set of a queue's jobs, by the instant at which they are due."""
    return f"{default_queue_name}:{queue.value}"


WAKE_PREFIX = "flexiprice:wake:"


def notify_channel(queue: Queue) -> str:
    """Channel that tells the workers of a queue that there may be work."""
    return WAKE_PREFIX + queue.value


def job_key(job_id: str) -> str:
    """A job's function and arguments, until it is done."""
    return job_key_prefix + job_id


def result_key(job_id: str) -> str:
    """What a job came to."""
    return result_key_prefix + job_id


def in_progress_key(job_id: str) -> str:
    """There while a job runs; holds the id of the worker that runs it."""
    return in_progress_key_prefix + job_id


def retry_key(job_id: str) -> str:
    """How often a job was started."""
    return retry_key_prefix + job_id


def record_key(job_id: str) -> str:
    """A hash of what is known of a job beside what arq keeps.

    task, queue, fingerprint, enqueued (ms), started (ms), worker; trigger, parent, request, actor: what
    had it enqueued; trace: the traceparent of the span that did, where it was traced; progress; body: of one
    that may expire; losses: how many workers were lost while they ran it; lone_losses: how many of those
    died while they ran nothing else; suspect: until when (ms) it runs alone because of a loss, or `always`;
    loss:<worker>: how that worker was lost; drain_by, drain_until (ms), drain_again (ms), drains: which
    worker lets its jobs end to run it, until when, when another may, and how often one did; unknown_since
    (ms): nobody who looked knew its task; ended: the run that was the last to end; parts: how many it has,
    where it has any.
    """
    return f"flexiprice:job:{job_id}"


def parts_key(job_id: str) -> str:
    """A hash of the ids of a job's parts and what each came to as arq keeps it; empty until it has ended."""
    return f"flexiprice:parts:{job_id}"


def finished_channel(job_id: str) -> str:
    """Channel that tells whoever waits that a job has its result, or has come further."""
    return f"flexiprice:finished:{job_id}"


def schedule_key(schedule: str) -> str:
    """A hash: last_tick (ms) that was taken; paused_at (ms) and paused_by while it is paused."""
    return f"flexiprice:schedule:{schedule}"


def worker_key(worker_id: str) -> str:
    """What a live worker says of itself; expires soon after its last heartbeat."""
    return f"flexiprice:worker:{worker_id}"


def worker_command_key(worker_id: str) -> str:
    """What a worker is asked to do, for it to read with each heartbeat; one of `fleet.WorkerCommand`."""
    return f"flexiprice:worker:{worker_id}:command"


def running_key(worker_id: str) -> str:
    """A hash of the jobs that a worker has taken and not finished: `<queue>:<since (ms)>` by job id."""
    return f"flexiprice:worker:{worker_id}:running"


def lone_key(worker_id: str) -> str:
    """There while a worker lets its jobs end to run a suspect alone: `<queue>:<job id>`."""
    return f"flexiprice:worker:{worker_id}:lone"


def exonerated_key(worker_id: str) -> str:
    """There where a worker was lost and its jobs are not to blame: it was frozen, cut off or told to end."""
    return f"flexiprice:worker:{worker_id}:exonerated"


def loss_key(worker_id: str) -> str:
    """How many jobs a lost worker ran when the first of them was given back."""
    return f"flexiprice:worker:{worker_id}:loss"


def dead_letters_key(reason: str) -> str:
    """The sorted set of the tasks that need a person for one reason, by since when (ms)."""
    return f"flexiprice:dead-letters:{reason}"


def bad_entry_key(key: str) -> str:
    """Where a key stands that was set aside."""
    return f"flexiprice:bad-entry:{key}"


def run_outbox_key(worker_id: str) -> str:
    """A hash of a worker's runs that have ended and may not be in the history yet; see `untold_runs`."""
    return f"flexiprice:worker:{worker_id}:untold"


def telling_key(worker_id: str) -> str:
    """There while somebody tells the history of the runs of a worker that is gone."""
    return f"flexiprice:telling:{worker_id}"


def reaping_key(worker_id: str) -> str:
    """There while somebody gives back the jobs of a lost worker."""
    return f"flexiprice:reaping:{worker_id}"


def failed_keys_key(address: str) -> str:
    """How many wrong keys came from an address; expires with the minute in which they count."""
    return f"flexiprice:failed-keys:{address}"


_LONGEST_MS: Final = 253_402_300_799_000


def whole_number(text: str | bytes | None, otherwise: int = 0) -> int:
    """A number as Redis holds it; another one where nobody can read it."""
    try:
        return int(text) if text is not None else otherwise
    except ValueError:
        return otherwise


def instant_of(milliseconds: str | bytes | float | None) -> datetime:
    """An instant as Redis holds it; the beginning of 1970 where nobody can read it."""
    return find_instant(milliseconds) or datetime.fromtimestamp(0, tz=UTC)


def find_instant(milliseconds: str | bytes | float | None) -> datetime | None:
    """An instant as Redis holds it; None where there is none, or none that anybody can read."""
    try:
        read = float(milliseconds) if milliseconds is not None else -1.0
    except ValueError:
        return None
    return datetime.fromtimestamp(read / 1000, tz=UTC) if 0 <= read <= _LONGEST_MS else None
