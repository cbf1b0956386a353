"""Declarations of tasks and schedules: name, queue, arguments, limits. Bodies are in `workers.tasks`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from flexiprice.domain.shard import BUCKET_COUNT
from flexiprice.domain.validation_reasons import reason_of
from flexiprice.errors import InvalidInput
from flexiprice.queue.retry_policy import RetryPolicy
from flexiprice.settings import Queue, Settings

# `recompute_all_discounts` is for more batches than this.
MAX_BATCHES: Final = 10_000

# A restarted server is back within a minute; after that, retries must come soon.
DEFAULT_RETRY: Final = RetryPolicy(
    max_tries=12, base=timedelta(seconds=1), cap=timedelta(seconds=10), jitter=0.5
)


class TaskArguments(BaseModel):
    """Base of a task's arguments; validated when the job is enqueued and when it runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoArguments(TaskArguments):
    """Arguments of a task without any."""


ArgumentsT_co = TypeVar("ArgumentsT_co", bound=TaskArguments, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDeclaration(Generic[ArgumentsT_co]):
    """The declaration of a task, shared by producers and workers.

    Attributes:
        name: unique name of the task.
        queue: the queue of its jobs.
        arguments: the model of its arguments.
        time_limit: hard time limit of a run; None for that of the settings.
        soft_time_limit: time after which a run is cancelled softly; None for that of the settings.
        retry: retries after transient errors.
    """

    name: str
    queue: Queue
    arguments: type[ArgumentsT_co]
    time_limit: timedelta | None = None
    soft_time_limit: timedelta | None = None
    retry: RetryPolicy = DEFAULT_RETRY

    def parse(self, arguments: Mapping[str, object] | TaskArguments | None) -> ArgumentsT_co:
        """Validates arguments.

        Raises:
            InvalidInput: an argument is missing, unknown or out of bounds; `details["field"]` names it.
        """
        if isinstance(arguments, self.arguments):
            return arguments
        given = arguments.model_dump() if isinstance(arguments, TaskArguments) else dict(arguments or {})
        try:
            return self.arguments.model_validate(given)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            name = ".".join(str(part) for part in fault["loc"])
            raise InvalidInput(f"{self.name}: {name}: {reason_of(fault)}", field=name) from None

    def time_limit_in(self, settings: Settings) -> timedelta:
        """Returns the hard time limit under these settings."""
        return self.time_limit if self.time_limit is not None else settings.time_limit

    def soft_time_limit_in(self, settings: Settings) -> timedelta:
        """Returns the soft time limit under these settings."""
        return self.soft_time_limit if self.soft_time_limit is not None else settings.soft_time_limit


class RecomputeAllArguments(TaskArguments):
    """Threshold in days: only batches that expire within it may open a discount."""

    days_threshold: int = Field(default=30, ge=1, le=365)


class RecomputeShardArguments(TaskArguments):
    """The shard, and the threshold as in `RecomputeAllArguments`."""

    number: int = Field(ge=1, le=BUCKET_COUNT)
    count: int = Field(ge=1, le=BUCKET_COUNT)
    days_threshold: int = Field(default=30, ge=1, le=365)

    @field_validator("count")
    @classmethod
    def _not_below_the_number(cls, count: int, info: ValidationInfo) -> int:
        if info.data.get("number", 1) > count:
            raise ValueError("there is no such shard")
        return count


class RecomputeBatchesArguments(TaskArguments):
    """The batches to recompute."""

    batch_ids: list[Annotated[int, Field(ge=1, lt=2**63)]] = Field(min_length=1, max_length=MAX_BATCHES)


def _in_utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


class PriceHistoryArguments(TaskArguments):
    """An instant within the slot to record; None for now."""

    slot_at: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None


RECOMPUTE_ALL_DISCOUNTS: Final = TaskDeclaration(
    name="recompute_all_discounts", queue=Queue.DISCOUNTS, arguments=RecomputeAllArguments
)
RECOMPUTE_SHARD: Final = TaskDeclaration(
    name="recompute_shard", queue=Queue.DISCOUNTS, arguments=RecomputeShardArguments
)
RECOMPUTE_BATCHES: Final = TaskDeclaration(
    name="recompute_batches", queue=Queue.DISCOUNTS, arguments=RecomputeBatchesArguments
)
CLEANUP_EXPIRED_DISCOUNTS: Final = TaskDeclaration(
    name="cleanup_expired_discounts", queue=Queue.MAINTENANCE, arguments=NoArguments
)
UPDATE_PRICE_HISTORY: Final = TaskDeclaration(
    name="update_price_history", queue=Queue.ANALYTICS, arguments=PriceHistoryArguments
)
IMPORT_DROPPED_FILES: Final = TaskDeclaration(
    name="import_dropped_files", queue=Queue.MAINTENANCE, arguments=NoArguments
)


def _no_arguments(_: Settings, __: datetime | None) -> Mapping[str, object]:
    return {}


def _threshold(settings: Settings, _: datetime | None) -> Mapping[str, object]:
    return {"days_threshold": settings.days_threshold}


def _slot(_: Settings, tick_at: datetime | None) -> Mapping[str, object]:
    return {} if tick_at is None else {"slot_at": tick_at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule that runs a task periodically.

    Attributes:
        name: unique name of the schedule.
        task: the task that it runs.
        setting: the field of `Settings` with its crontab line.
        arguments: builds the arguments from the settings and the time of the tick, which is None for a
            manual run.
    """

    name: str
    task: TaskDeclaration[TaskArguments]
    setting: str
    arguments: Callable[[Settings, datetime | None], Mapping[str, object]] = field(default=_no_arguments)

    def crontab(self, settings: Settings) -> str:
        """Returns the crontab line under these settings."""
        return str(getattr(settings, self.setting))


SCHEDULES: Final[tuple[Schedule, ...]] = (
    Schedule(
        name="recompute_all_discounts",
        task=RECOMPUTE_ALL_DISCOUNTS,
        setting="recompute_schedule",
        arguments=_threshold,
    ),
    Schedule(name="cleanup_expired_discounts", task=CLEANUP_EXPIRED_DISCOUNTS, setting="cleanup_schedule"),
    Schedule(
        name="update_price_history",
        task=UPDATE_PRICE_HISTORY,
        setting="price_history_schedule",
        arguments=_slot,
    ),
)
IMPORT_SCHEDULE: Final = Schedule(
    name="import_dropped_files", task=IMPORT_DROPPED_FILES, setting="import_schedule"
)

DECLARED_SCHEDULES: Final = (*SCHEDULES, IMPORT_SCHEDULE)
"""All schedules, whether or not the settings turn them on."""


def schedules_in(settings: Settings) -> tuple[Schedule, ...]:
    """Returns the schedules that run under these settings: `SCHEDULES`, and those that a setting turns on."""
    return SCHEDULES if settings.import_directory is None else (*SCHEDULES, IMPORT_SCHEDULE)
