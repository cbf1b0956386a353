"""The source of a job, stored in its record and in the run history."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from flexiprice.domain.run import RunTrigger

_MAX_LENGTH = 200
# Field of a job's record: the traceparent of the span that enqueued it.
TRACE_FIELD: Final = "trace"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSource:
    """The source of a job.

    Attributes:
        trigger: the kind of source.
        parent_job_id: the job that this one retries, or whose child it is.
        request_id: the API request that enqueued it.
        actor: the person or key that asked for it; never a secret.
    """

    trigger: RunTrigger = RunTrigger.PROGRAM
    parent_job_id: str | None = None
    request_id: str | None = None
    actor: str | None = None

    def fields(self) -> list[str]:
        """Returns the fields for a job's record, names and values alternating."""
        facts = {"parent": self.parent_job_id, "request": self.request_id, "actor": self.actor}
        known = [text for name, value in facts.items() if value for text in (name, value[:_MAX_LENGTH])]
        return ["trigger", self.trigger.value, *known]

    @classmethod
    def of_record(cls, record: Mapping[str, str]) -> Self:
        """Reads the source from a job's record; the default for a plain arq client's job."""
        trigger = record.get("trigger")
        return cls(
            trigger=RunTrigger(trigger) if trigger in set(RunTrigger) else RunTrigger.PROGRAM,
            parent_job_id=record.get("parent"),
            request_id=record.get("request"),
            actor=record.get("actor"),
        )


UNKNOWN_SOURCE = JobSource()
