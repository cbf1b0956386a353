"""Status and trigger of a run, one recorded attempt of a job."""

from enum import StrEnum


class RunStatus(StrEnum):
    """The status of a run. All but `running` are final: a further attempt is another run.

    `retrying`: the run failed and the job will be retried. `released`: the worker released the job because
    it had to stop, or until its child jobs finish. `lost`: the worker died.
    """

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRYING = "retrying"
    REVOKED = "revoked"
    LOST = "lost"
    RELEASED = "released"


class RunTrigger(StrEnum):
    """The reason why a job was enqueued.

    `late_schedule`: a missed tick that was caught up. `schedule_by_hand`: a person ran a schedule at once.
    `retry`: a person retried an older job. `task`: another job enqueued it. `program`: any other program.
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
