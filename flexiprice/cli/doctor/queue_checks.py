"""Checks of workers, queues, waiting jobs and dead letters."""

from collections.abc import Iterator, Sequence

from flexiprice.cli.console import format_time
from flexiprice.cli.doctor.findings import Finding, Health
from flexiprice.plurals import counted
from flexiprice.queue.admin.dead_letters import DeadLetterCounts
from flexiprice.queue.admin.inspect import UndeclaredTask
from flexiprice.queue.admin.queues import QueueState
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason
from flexiprice.queue.worker.heartbeat import LiveWorker
from flexiprice.settings import Queue


def check_workers(workers: Sequence[LiveWorker]) -> Iterator[Finding]:
    """Lists the live workers, and finds queues that no worker claims jobs from."""
    if not workers:
        yield Finding(Health.FAILED, "workers", "none is alive", "run `flexiprice worker`")
        return
    for worker in workers:
        detail = f"{worker.host} pid {worker.pid} consumes {', '.join(worker.queues)} "
        detail += f"since {format_time(worker.started_at)}"
        if worker.takes_jobs:
            yield Finding(Health.OK, "workers", detail)
        else:
            detail += f", and drains: it takes no more jobs, and {counted(len(worker.running), 'job', 'run')}"
            yield Finding(
                Health.WARNING, "workers", detail, "it ends by itself; start another where it is missed"
            )
    taken = {queue for worker in workers if worker.takes_jobs for queue in worker.queues}
    for queue in Queue:
        if queue not in taken:
            draining = [f"{worker.host} pid {worker.pid}" for worker in workers if queue in worker.queues]
            detail = f"none consumes the queue {queue.value}"
            if draining:
                detail = f"none takes from the queue {queue.value}: only {', '.join(draining)}, draining"
            advice = f"run `flexiprice worker --queues {queue.value}`, or a worker for all queues"
            yield Finding(Health.FAILED, "workers", detail, advice)


def check_queues(queues: Sequence[QueueState]) -> Iterator[Finding]:
    """Finds paused queues."""
    for queue in queues:
        if queue.paused_at is not None:
            detail = f"{queue.queue.value} is paused since {format_time(queue.paused_at)} "
            detail += f"by {queue.paused_by or 'an unknown user'}; {counted(queue.waiting, 'job', 'wait')}"
            advice = f"when done: flexiprice resume-queue {queue.queue.value}"
            yield Finding(Health.WARNING, "queues", detail, advice)


def check_undeclared(found: Sequence[UndeclaredTask]) -> Iterator[Finding]:
    """Finds tasks of waiting jobs that no live worker declares."""
    for task in found:
        jobs = counted(task.waiting, "job", "wait")
        detail = f"no worker declares {task.task}: {jobs} in {task.queue.value}"
        if task.since is not None:
            detail += f" since {format_time(task.since)}"
        yield Finding(Health.WARNING, "tasks", detail, "start or restart a worker of the version that has it")


def check_dead_letters(found: DeadLetterCounts) -> Finding:
    """Counts the dead letters."""
    if not found.total:
        return Finding(Health.OK, "tasks", "none needs a person")
    each = ", ".join(f"{count:,} {reason}" for reason, count in found.by_reason.items() if count)
    advice = "look at them with `flexiprice dead-letters list`, then retry or dismiss them"
    if found.by_reason.get(DeadLetterReason.UNKNOWN_TASK):
        advice += "; retry those of an unknown task once a worker of the version that has it runs"
    detail = f"{found.total:,} {'needs' if found.total == 1 else 'need'} a person ({each})"
    return Finding(Health.WARNING, "tasks", detail, advice)


def check_default_queue(unrouted: int) -> list[Finding]:
    """Finds jobs from plain arq clients that no worker has routed."""
    if not unrouted:
        return []
    detail = f"{counted(unrouted, 'job', 'wait')} in arq's default queue, arq:queue"
    advice = "a worker routes them within a second: start one, or look whether their queues are full"
    return [Finding(Health.WARNING, "tasks", detail, advice)]
