"""What had a job enqueued: kept with it, and written into the run history."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from flexiprice.domain.run import RunTrigger

_LONGEST = 200
# Of a job's record: the traceparent of the span that enqueued it.
TRACE_FIELD: Final = "trace"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSource:
    """What had a job enqueued.

    Attributes:
        trigger: of which kind it was.
        parent_job_id: the job that this one is a new try of, or that enqueued it.
        request_id: the API request that enqueued it.
        actor: the person or key behind it; never a secret.
    """

    trigger: RunTrigger = RunTrigger.PROGRAM
    parent_job_id: str | None = None
    request_id: str | None = None
    actor: str | None = None

    def fields(self) -> list[str]:
        """Its fields in a job's record, name and value in turn."""
        facts = {"parent": self.parent_job_id, "request": self.request_id, "actor": self.actor}
        known = [text for name, value in facts.items() if value for text in (name, value[:_LONGEST])]
        return ["trigger", self.trigger.value, *known]

    @classmethod
    def of_record(cls, record: Mapping[str, str]) -> Self:
        """The origin that a job's record tells of; of a plain arq client's job there is none."""
        trigger = record.get("trigger")
        return cls(
            trigger=RunTrigger(trigger) if trigger in set(RunTrigger) else RunTrigger.PROGRAM,
            parent_job_id=record.get("parent"),
            request_id=record.get("request"),
            actor=record.get("actor"),
        )


UNKNOWN_ORIGIN = JobSource()
