"""All configuration in one frozen tree, read from `FLEXIPRICE_*` variables and from files.

Later sources win: `.flexiprice/up.env` (written by a running `flexiprice up`, so that other commands
find its servers), then `.env`, then the environment.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from flexiprice.domain.shard import BUCKET_COUNT
from flexiprice.errors import InvalidSettings
from flexiprice.secret_files import SUFFIX, read_secret_files
from flexiprice.setting_values import (
    ApiKey,
    Crontab,
    Currency,
    DatabaseUrl,
    Duration,
    Networks,
    Origins,
    RedisUrl,
    TimeZoneName,
    UrlPrefix,
    split,
    upper,
)

PREFIX = "FLEXIPRICE_"
UP_ENV_FILE = Path(".flexiprice/up.env")
ENV_FILES: tuple[Path, ...] = (UP_ENV_FILE, Path(".env"))


class Queue(StrEnum):
    """The queues, one for each kind of work, so that one kind never starves another."""

    DISCOUNTS = "discounts"
    MAINTENANCE = "maintenance"
    ANALYTICS = "analytics"


class LogFormat(StrEnum):
    """How log lines are written; `auto` is `console` on a terminal and `json` elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


Queues = Annotated[tuple[Queue, ...], NoDecode, BeforeValidator(split), Field(min_length=1)]
DatabaseTimeout = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=1))]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(upper)]


class Settings(BaseSettings):
    """Every setting, its default and its meaning; the manual's table is made from this class."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    database_url: DatabaseUrl | None = Field(
        default=None,
        description="PostgreSQL 15 or later: `postgresql://user:password@host:5432/database`, with "
        "`sslmode`, `sslrootcert`, `connect_timeout`, `options`, `schema`, `pgbouncer=true` and the like "
        "behind a `?`; in the password, `#` `/` `?` `@` `%` are written `%23` `%2F` `%3F` `%40` `%25`",
    )
    redis_url: RedisUrl | None = Field(
        default=None,
        description="Redis 6.2 / Valkey 7.2 or later: `redis://`, `rediss://` (TLS), `unix://` or "
        "`redis+sentinel://host:26379,host2:26379/service/0`",
    )
    api_key: ApiKey | None = Field(
        default=None,
        description="opens everything under `/admin`, the monitor and the metrics, beside the keys that "
        "`flexiprice keys` makes",
    )
    monitor_read_key: ApiKey | None = Field(
        default=None, description="lets its holder log in to the monitor, to look and change nothing"
    )
    monitor_session_idle: Duration = Field(
        default=timedelta(hours=12),
        ge=timedelta(minutes=5),
        le=timedelta(days=7),
        description="after how long without use a session of the monitor ends; after 7 days it does anyway",
    )
    metrics_key: ApiKey | None = Field(
        default=None,
        description="opens `/metrics` of the API and of workers, and nothing else; for Prometheus",
    )
    open_loopback: bool = Field(
        default=False,
        description="for development: whoever comes from 127.0.0.1 or ::1, and through no proxy, is an "
        "administrator without a key",
    )
    failed_key_limit: int = Field(
        default=20,
        ge=1,
        le=100_000,
        description="wrong keys that one address may send in a minute; then it is refused for the rest of it",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="addresses or networks of reverse proxies, by comma, whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed",
    )
    url_prefix: UrlPrefix = Field(
        default="",
        description="path under which a reverse proxy serves API or monitor, such as `/shop`; whether the "
        "proxy strips it or passes it on",
    )
    cors_origins: Origins = Field(
        default=(),
        description="pages that may call the API from a browser, by comma: `https://shop.example`, or `*`",
    )
    docs: bool = Field(default=True, description="whether `/docs` and `/openapi.json` are served")
    max_body_bytes: int = Field(
        default=1_048_576, ge=1024, le=134_217_728, description="size of a request's body at most"
    )
    max_upload_bytes: int = Field(
        default=268_435_456,
        ge=1024,
        le=17_179_869_184,
        description="size at most of the body of `PUT /admin/batches`; beyond 1 MiB it waits in a temporary "
        "file",
    )
    body_timeout: Duration = Field(
        default=timedelta(seconds=30),
        ge=timedelta(milliseconds=100),
        le=timedelta(hours=1),
        description="how long a client may take to send a body; of an upload, how long it may pause",
    )

    recompute_schedule: Crontab = Field(default="0 * * * *", description="when discounts are recomputed")
    cleanup_schedule: Crontab = Field(default="0 2 * * *", description="when expired discounts are closed")
    price_history_schedule: Crontab = Field(
        default="0 */6 * * *", description="when price snapshots are recorded"
    )
    timezone: TimeZoneName = Field(default="UTC", description="time zone in which the schedules are read")

    queue_limit: int = Field(
        default=20_000,
        ge=1,
        le=10_000_000,
        description="jobs that a queue holds at most, running ones included; beyond, enqueueing is refused",
    )
    schedule_catch_up: Duration = Field(
        default=timedelta(days=1),
        ge=timedelta(0),
        le=timedelta(days=31),
        description="how old the latest tick may be that was missed while no worker lived, to be run late",
    )
    unknown_task_patience: Duration = Field(
        default=timedelta(minutes=5),
        ge=timedelta(0),
        le=timedelta(days=7),
        description="how long a job of a task that no worker knows waits for one that does, as in a deploy",
    )
    worker_queues: Queues = Field(
        default=tuple(Queue),
        description="queues that a worker consumes, by comma; it ticks only their schedules",
    )
    worker_concurrency: int = Field(default=10, ge=1, le=1000, description="jobs that run at once, per queue")
    worker_prefetch: int = Field(
        default=4, ge=1, le=100, description="how far a worker reads ahead, as a multiple of concurrency"
    )
    worker_grace: Duration = Field(
        default=timedelta(seconds=30),
        ge=timedelta(0),
        le=timedelta(days=1),
        description="how long a worker that is told to stop lets running jobs end before it hands them back",
    )
    worker_max_tasks: int = Field(
        default=1000,
        ge=0,
        description="jobs after which `flexiprice worker` replaces its process by a fresh one; 0 for never, "
        "as with arq's own command",
    )
    worker_metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="port on which a worker serves its metrics, if on any"
    )
    worker_metrics_host: str = Field(
        default="127.0.0.1", min_length=1, description="address on which a worker serves its metrics"
    )
    time_limit: Duration = Field(
        default=timedelta(minutes=30),
        ge=timedelta(seconds=1),
        le=timedelta(days=1),
        description="how long a task may run, in seconds or as ISO 8601",
    )
    soft_time_limit: Duration = Field(
        default=timedelta(minutes=25),
        ge=timedelta(seconds=1),
        le=timedelta(days=1),
        description="after how long a running task is told to tidy up; below the time limit, or of no effect",
    )
    result_retention: Duration = Field(
        default=timedelta(days=1),
        ge=timedelta(seconds=1),
        le=timedelta(days=365),
        description="how long a task's result can be read",
    )

    days_threshold: int = Field(
        default=30, ge=1, le=365, description="batches that expire within so many days may open a discount"
    )
    recompute_shards: int = Field(
        default=1,
        ge=1,
        le=BUCKET_COUNT,
        description="jobs that a large recompute is cut into, for all workers to share; 1 for none",
    )
    recompute_shards_from: int = Field(
        default=50_000,
        ge=0,
        description="a recompute is cut if more batches than these change; with fewer, one worker is quicker",
    )
    history_retention_days: int = Field(
        default=730,
        ge=31,
        le=36500,
        description="days that the history of prices and base prices is kept; the ledger is kept for good",
    )
    run_history_retention_days: int = Field(
        default=30, ge=1, le=3650, description="days that the runs of tasks are kept in the database"
    )
    currency: Currency = Field(
        default="EUR", description="the one currency of the installation (ISO 4217, with two decimals)"
    )

    database_pool_size: int = Field(default=10, ge=1, le=500, description="database connections per program")
    database_prepared_statements: bool = Field(
        default=True,
        description="`false` where the database is reached through PgBouncer in transaction mode",
    )
    database_read_timeout: DatabaseTimeout = Field(
        default=timedelta(seconds=15),
        description="how long PostgreSQL may take over a statement of an API read; 0 for no limit",
    )
    database_read_lock_timeout: DatabaseTimeout = Field(
        default=timedelta(seconds=3),
        description="how long a read waits for a table or row that another session has locked",
    )
    database_write_timeout: DatabaseTimeout = Field(
        default=timedelta(seconds=30),
        description="as the above, for changes of a few rows, for commands and for the monitor",
    )
    database_write_lock_timeout: DatabaseTimeout = Field(
        default=timedelta(seconds=10), description="as the above, for the locks of such changes"
    )
    database_recompute_timeout: DatabaseTimeout = Field(
        default=timedelta(hours=1),
        description="as the above, for what goes through whole tables: tasks, imports, previews",
    )
    database_recompute_lock_timeout: DatabaseTimeout = Field(
        default=timedelta(minutes=1),
        description="as the above, for the locks of such work; a task that waited so long is tried again",
    )
    database_migration_timeout: DatabaseTimeout = Field(
        default=timedelta(hours=1), description="as the above, for `flexiprice migrate`"
    )
    database_migration_lock_timeout: DatabaseTimeout = Field(
        default=timedelta(seconds=30),
        description="as the above, for the locks of `flexiprice migrate`, behind which reads wait",
    )
    log_level: LogLevel = Field(default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`")
    log_format: LogFormat = Field(default=LogFormat.AUTO, description="`auto`, `json` or `console`")

    def require_database_url(self) -> str:
        """The database's URL.

        Raises:
            InvalidSettings: none is configured.
        """
        return _required("database_url", self.database_url, "postgresql://user:password@host:5432/flexiprice")

    def require_redis_url(self) -> str:
        """The Redis server's URL.

        Raises:
            InvalidSettings: none is configured.
        """
        return _required("redis_url", self.redis_url, "redis://localhost:6379/0")


SECRETS: Final = ("database_url", "redis_url", "api_key", "monitor_read_key", "metrics_key")
"""Settings that are never shown, each of which a file may hold: `FLEXIPRICE_API_KEY_FILE`."""


def _required(name: str, value: SecretStr | None, example: str) -> str:
    if value is None:
        variable = f"{PREFIX}{name.upper()}"
        raise InvalidSettings(
            f"{variable} is not set: set it, for example {variable}={example}, "
            "or run `flexiprice up`, which brings servers of its own"
        )
    return value.get_secret_value()


def load_settings(env_files: Sequence[Path] = ENV_FILES, **overrides: object) -> Settings:
    """Reads the settings once, at the door of a program.

    Args:
        env_files: files of `NAME=value` lines; later ones win, absent ones are skipped.
        **overrides: values that win over every source, by field name.

    Raises:
        InvalidSettings: a value cannot be used; the message names every setting at fault.
    """
    secrets = {f"{PREFIX}{name.upper()}": name for name in SECRETS}
    from_files = read_secret_files(secrets, env_files)
    given: dict[str, object] = {secrets[variable]: value for variable, value in from_files.items()}
    given |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(_env_file=tuple(env_files), **given)  # type: ignore[arg-type, call-arg]
    except ValidationError as error:
        faults = [
            f"{PREFIX}{str(fault['loc'][0]).upper() if fault['loc'] else ''}: {_reason(fault['msg'])}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise InvalidSettings("; ".join(faults)) from None


def unknown_variables() -> list[str]:
    """`FLEXIPRICE_*` variables of the environment that no setting reads: misspelt ones, mostly."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{PREFIX}{name.upper()}{SUFFIX}" for name in SECRETS}
    return sorted(
        name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known
    )


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")
