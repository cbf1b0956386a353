"""The outcomes of a run. Each determines how its job is released."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from flexiprice.domain.run import RunStatus
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason
from flexiprice.queue.worker.losses import Loss


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The task returned: the job finishes with its result."""

    result: object
    status: ClassVar[RunStatus] = RunStatus.SUCCEEDED
    error: ClassVar[None] = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The job finishes with an error. With a reason it also becomes a dead letter."""

    error: BaseException
    dead_letter: DeadLetterReason | None = None
    status: ClassVar[RunStatus] = RunStatus.FAILED


@dataclass(frozen=True, slots=True)
class Revoked:
    """A person revoked the job: it finishes as cancelled."""

    error: BaseException = field(default_factory=asyncio.CancelledError)
    status: ClassVar[RunStatus] = RunStatus.REVOKED


@dataclass(frozen=True, slots=True)
class Retrying:
    """The run failed, and the job is due again after a delay."""

    error: BaseException
    delay: timedelta
    status: ClassVar[RunStatus] = RunStatus.RETRYING


@dataclass(frozen=True, slots=True)
class Requeued:
    """The worker cannot run the job: it is requeued at once. The attempt does not count."""

    status: ClassVar[RunStatus] = RunStatus.RELEASED
    error: ClassVar[None] = None


@dataclass(frozen=True, slots=True)
class AwaitsChildren:
    """The job is suspended until its child jobs have finished. The attempt does not count."""

    status: ClassVar[RunStatus] = RunStatus.RELEASED
    error: ClassVar[None] = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker died, and the reaper requeues the job. The attempt does not count."""

    error: BaseException
    loss: Loss
    status: ClassVar[RunStatus] = RunStatus.LOST


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Too many workers died while they ran only this job: the reaper finishes it as a dead letter."""

    error: BaseException
    loss: Loss
    status: ClassVar[RunStatus] = RunStatus.FAILED


FinalOutcome = Succeeded | Failed | Revoked | GivenUp
"""The outcomes that finish a job."""
Outcome = FinalOutcome | Retrying | Requeued | AwaitsChildren | Lost
"""The outcomes after which a worker or the reaper releases a job."""
