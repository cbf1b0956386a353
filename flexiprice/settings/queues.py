"""Settings of the queues and of the workers that consume them."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from flexiprice.settings.group import SettingsGroup
from flexiprice.settings.values import Duration, split


class Queue(StrEnum):
    """The queues, one per kind of work, so that no kind starves another."""

    DISCOUNTS = "discounts"
    MAINTENANCE = "maintenance"
    ANALYTICS = "analytics"


Queues = Annotated[tuple[Queue, ...], NoDecode, BeforeValidator(split), Field(min_length=1)]


class QueueSettings(SettingsGroup):
    """Limits of queues, of workers and of the tasks that they run."""

    queue_limit: int = Field(
        default=20_000,
        ge=1,
        le=10_000_000,
        description="maximum number of jobs in a queue, running ones included; enqueueing more is rejected",
    )
    schedule_catch_up: Duration = Field(
        default=timedelta(days=1),
        ge=timedelta(0),
        le=timedelta(days=31),
        description="maximum age of a missed tick of a schedule that is still run late when a worker is back",
    )
    unknown_task_timeout: Duration = Field(
        default=timedelta(minutes=5),
        ge=timedelta(0),
        le=timedelta(days=7),
        description="how long a job of a task that no worker knows is kept before it fails; covers rolling "
        "deploys",
    )
    worker_queues: Queues = Field(
        default=tuple(Queue),
        description="queues that a worker consumes, separated by commas; it runs only their schedules",
    )
    worker_concurrency: int = Field(
        default=10, ge=1, le=1000, description="jobs that a worker runs concurrently, per queue"
    )
    worker_prefetch: int = Field(
        default=4, ge=1, le=100, description="prefetch of a worker, as a multiple of its concurrency"
    )
    worker_grace: Duration = Field(
        default=timedelta(seconds=30),
        ge=timedelta(0),
        le=timedelta(days=1),
        description="time that running jobs have to finish when a worker stops, before they are requeued",
    )
    worker_max_tasks: int = Field(
        default=1000,
        ge=0,
        description="jobs after which `flexiprice worker` recycles its process; 0 for never; arq's own "
        "command never does",
    )
    worker_metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="port on which a worker serves its metrics; unset for none"
    )
    worker_metrics_host: str = Field(
        default="127.0.0.1", min_length=1, description="address on which a worker serves its metrics"
    )
    time_limit: Duration = Field(
        default=timedelta(minutes=30),
        ge=timedelta(seconds=1),
        le=timedelta(days=1),
        description="time limit of a task, in seconds or as ISO 8601",
    )
    soft_time_limit: Duration = Field(
        default=timedelta(minutes=25),
        ge=timedelta(seconds=1),
        le=timedelta(days=1),
        description="time after which a running task is interrupted to clean up; must be below the time "
        "limit to have an effect",
    )
    result_retention: Duration = Field(
        default=timedelta(days=1),
        ge=timedelta(seconds=1),
        le=timedelta(days=365),
        description="how long a task's result is kept in Redis",
    )
