"""Models of dead letters."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StrictBool, model_validator

from api.schemas.values import RequestModel, ResponseModel
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason
from flexiprice.settings import Queue

MAX_CHANGED = 500
_TASK = "0b9f5e3c6a7d4f21a8c94e5d6f7a8b9c"


class DeadLetterOut(ResponseModel):
    """A dead letter: a task that ended without success, and that an operator must retry or dismiss.

    `given_up`: too many workers died while they ran only it; `corrupt`: its message cannot be decoded;
    `unknown_task`: no worker that knows its task appeared in time; `failed`: it failed after all retries;
    `bad_entry`: an entry in Redis that is not a task.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "task_id": _TASK,
                    "reason": "given_up",
                    "task": "recompute_all_discounts",
                    "queue": "discounts",
                    "error_code": "worker_lost",
                    "message": "3 workers died while they ran this job and nothing else.",
                    "died_at": "2025-03-31T09:00:00.400Z",
                    "losses": 4,
                    "retryable": True,
                }
            ]
        }
    )

    task_id: str = Field(validation_alias="job_id", description="Id of the task, or name of the bad entry.")
    reason: DeadLetterReason = Field(description="Why it became a dead letter.")
    task: str | None
    queue: Queue | None
    error_code: str
    message: str
    died_at: datetime
    losses: int = Field(description="Number of workers that died while they ran it.")
    retryable: bool = Field(description="Whether it can still be retried.")


class DeadLetterIds(RequestModel):
    """Dead letters by their ids, or all."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"task_ids": [_TASK]}, {"all": True}],
            # The check of `_either` in JSON Schema, for clients and fuzzers.
            "if": {"properties": {"all": {"const": True}}, "required": ["all"]},
            "then": {"properties": {"task_ids": {"maxItems": 0}}},
            "else": {"properties": {"task_ids": {"minItems": 1}}, "required": ["task_ids"]},
        }
    )

    task_ids: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        default_factory=list, max_length=MAX_CHANGED
    )
    all: StrictBool = Field(default=False, description="Selects all dead letters, instead of ids.")

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.all == bool(self.task_ids):
            raise ValueError("give either task_ids or all")
        return self

    @property
    def wanted(self) -> list[str] | None:
        """The ids; None for all."""
        return None if self.all else self.task_ids


class DismissedOut(ResponseModel):
    """The number of dismissed dead letters."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"dismissed": 3}]})

    dismissed: int
