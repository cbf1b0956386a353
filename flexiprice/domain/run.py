"""The words for one recorded execution of a job: how it stands, and what caused it."""

from enum import StrEnum


class RunStatus(StrEnum):
    """How a run stands. Each but the first is final: what follows is another run.

    `retrying` failed and is tried again; `handed_back` was given up by a worker that had to stop, or until
    the parts of its job have ended; `lost` ran on a worker that is gone.
    """

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRYING = "retrying"
    REVOKED = "revoked"
    LOST = "lost"
    HANDED_BACK = "handed_back"


class RunTrigger(StrEnum):
    """What had the job enqueued.

    `late_schedule` is a tick that was missed and caught up, `schedule_by_hand` a schedule that a person
    ran out of turn, `retry` a person's new try of an older job, `task` another job, and `program`
    whatever does not say more of itself.
    """

    SCHEDULE = "schedule"
    LATE_SCHEDULE = "late_schedule"
    SCHEDULE_BY_HAND = "schedule_by_hand"
    API = "api"
    CLI = "cli"
    MONITOR = "monitor"
    RETRY = "retry"
    TASK = "task"
    PROGRAM = "program"
