"""Names of the keys and channels that FlexiPrice uses in Redis, in addition to arq's.

arq stores a job in `arq:job:<id>`, its result in `arq:result:<id>`, its due time in its queue's sorted set,
and `arq:in-progress:<id>` while it runs. Our record has the other facts of its status.
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

# arq's default queue, for plain arq clients; workers route its jobs to the queues of their tasks.
DEFAULT_QUEUE = default_queue_name
# Score of a routed id in that queue. arq's own scores are times in milliseconds, and it takes 0 for a missing
# score.
ROUTED_SCORE: Final = 1
# Sorted set of arq: ids of jobs that are to be aborted.
ABORTED_JOBS = abort_jobs_ss
# Sorted set: ids of live workers, by time (ms) of their heartbeat.
WORKERS = "flexiprice:workers"
# Sorted set: ids of lost workers whose jobs are not requeued yet.
LOST_WORKERS = "flexiprice:lost-workers"
# Sorted set: ids of dead workers with unrecorded runs in their outbox.
RUN_OUTBOX_WORKERS = "flexiprice:run-outbox-workers"
# Hash: first bytes of unreadable jobs, by job id.
QUARANTINE = "flexiprice:quarantine"
# Hash: quarantined entries: time (ms) and reason, by key.
BAD_ENTRIES = "flexiprice:bad-entries"
# Hash: dead letters by job id; see `admin.dead_letters`.
DEAD_LETTERS = "flexiprice:dead-letters"
# Reasons that have a list of dead letters; see `DeadLetterReason`.
DEAD_LETTER_REASONS: Final = ("given_up", "corrupt", "unknown_task", "failed")
# Sorted set: recently dead workers, by time (ms) of detection.
RECENT_DEATHS = "flexiprice:recent-deaths"
# Sorted set: jobs that wait for their children, by start (ms) of the wait.
AWAITING_CHILDREN = "flexiprice:awaiting-children"
# Hash: paused queues: start (ms) and actor, by name of arq's set.
PAUSED_QUEUES = "flexiprice:paused-queues"


# A channel without messages.
NOTHING = "flexiprice:nothing"
# Expires within a millisecond; tests whether Redis accepts writes.
WRITE_PROBE = "flexiprice:write-probe"


def queue_key(queue: Queue) -> str:
    """Sorted set: jobs of a queue, by due time (ms)."""
    return f"{default_queue_name}:{queue.value}"


WAKE_PREFIX = "flexiprice:wake:"


def notify_channel(queue: Queue) -> str:
    """Channel that wakes the workers of a queue."""
    return WAKE_PREFIX + queue.value


def job_key(job_id: str) -> str:
    """A job's function and arguments, until it has finished."""
    return job_key_prefix + job_id


def result_key(job_id: str) -> str:
    """A job's result."""
    return result_key_prefix + job_id


def in_progress_key(job_id: str) -> str:
    """The claim on a running job: the id of its worker."""
    return in_progress_key_prefix + job_id


def retry_key(job_id: str) -> str:
    """The number of starts of a job."""
    return retry_key_prefix + job_id


def record_key(job_id: str) -> str:
    """Hash: the record of a job, with the facts that arq does not store.

    - task, queue, fingerprint, enqueued (ms), started (ms), worker, progress
    - trigger, parent, request, actor: its source; trace: the traceparent of the span that enqueued it
    - body: the message of a job that may expire
    - losses: number of workers that were lost while they ran it; lone_losses: those that ran nothing else
    - suspect: until when (ms) it runs alone after a loss, or `always`; loss:<worker>: kind of that loss
    - drain_by, drain_until (ms), drain_again (ms), drains: the worker that drains to run it alone, until
      when, when another worker may, and the number of such drains
    - unknown_since (ms): since when no polling worker knew its task
    - ended: the run that ended last; children: number of its children
    """
    return f"flexiprice:job:{job_id}"


def children_key(job_id: str) -> str:
    """Hash: results of a job's children as arq encodes them, by id; empty until a child has finished."""
    return f"flexiprice:children:{job_id}"


def finished_channel(job_id: str) -> str:
    """Channel for changes of a job: progress or result."""
    return f"flexiprice:finished:{job_id}"


def schedule_key(schedule: str) -> str:
    """Hash: last_tick (ms), the latest recorded tick; paused_at (ms) and paused_by during a pause."""
    return f"flexiprice:schedule:{schedule}"


def worker_key(worker_id: str) -> str:
    """The published state of a worker; expires with its lease."""
    return f"flexiprice:worker:{worker_id}"


def worker_command_key(worker_id: str) -> str:
    """The pending `WorkerCommand` of a worker, read with each heartbeat."""
    return f"flexiprice:worker:{worker_id}:command"


def running_key(worker_id: str) -> str:
    """Hash: the claimed jobs of a worker: `<queue>:<start (ms)>` by job id."""
    return f"flexiprice:worker:{worker_id}:running"


def lone_key(worker_id: str) -> str:
    """Exists while a worker drains to run a suspect alone: `<queue>:<job id>`."""
    return f"flexiprice:worker:{worker_id}:lone"


def exonerated_key(worker_id: str) -> str:
    """Exists if the jobs of a lost worker are exonerated: it was frozen, cut off or stopped."""
    return f"flexiprice:worker:{worker_id}:exonerated"


def loss_key(worker_id: str) -> str:
    """Number of jobs of a lost worker when the first of them was requeued."""
    return f"flexiprice:worker:{worker_id}:loss"


def dead_letters_key(reason: str) -> str:
    """Sorted set: job ids of the dead letters of one reason, by time (ms)."""
    return f"flexiprice:dead-letters:{reason}"


def bad_entry_key(key: str) -> str:
    """New name of a quarantined key."""
    return f"flexiprice:bad-entry:{key}"


def run_outbox_key(worker_id: str) -> str:
    """Hash: the outbox of a worker: finished runs by run id; see `worker.run_outbox`."""
    return f"flexiprice:worker:{worker_id}:run-outbox"


def recording_key(worker_id: str) -> str:
    """Lock of the worker that records the orphaned runs of a dead worker."""
    return f"flexiprice:telling:{worker_id}"


def reaping_key(worker_id: str) -> str:
    """Lock of the worker that requeues the jobs of a lost worker."""
    return f"flexiprice:reaping:{worker_id}"


def failed_keys_key(address: str) -> str:
    """Number of wrong API keys from an address; expires with their minute."""
    return f"flexiprice:failed-keys:{address}"


_MAX_MS: Final = 253_402_300_799_000


def whole_number(text: str | bytes | None, default: int = 0) -> int:
    """Parses a whole number from Redis; returns the default if it is invalid."""
    try:
        return int(text) if text is not None else default
    except ValueError:
        return default


def instant_of(milliseconds: str | bytes | float | None) -> datetime:
    """Parses a time from Redis; returns the start of 1970 if it is missing or invalid."""
    return find_instant(milliseconds) or datetime.fromtimestamp(0, tz=UTC)


def find_instant(milliseconds: str | bytes | float | None) -> datetime | None:
    """Parses a time from Redis; None if it is missing or invalid."""
    try:
        read = float(milliseconds) if milliseconds is not None else -1.0
    except ValueError:
        return None
    return datetime.fromtimestamp(read / 1000, tz=UTC) if 0 <= read <= _MAX_MS else None
