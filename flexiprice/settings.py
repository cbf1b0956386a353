"""The configuration, read from `FLEXIPRICE_*` variables and from files.

Later sources win: `.flexiprice/up.env` (written by a running `flexiprice up`, so that other commands find
its servers), then `.env`, then the environment.
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
from flexiprice.domain.validation_reasons import reason_of
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
    """The queues, one per kind of work, so that no kind starves another."""

    DISCOUNTS = "discounts"
    MAINTENANCE = "maintenance"
    ANALYTICS = "analytics"


class LogFormat(StrEnum):
    """Formats of log lines; `auto` is `console` on a terminal and `json` elsewhere."""

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
        description="API key of the administrator: grants access to `/admin`, the monitor and the metrics, "
        "beside the keys that `flexiprice keys` creates",
    )
    monitor_read_key: ApiKey | None = Field(
        default=None, description="key for read-only access to the monitor"
    )
    monitor_session_idle: Duration = Field(
        default=timedelta(hours=12),
        ge=timedelta(minutes=5),
        le=timedelta(days=7),
        description="idle time after which a session of the monitor ends; every session ends after 7 days",
    )
    metrics_key: ApiKey | None = Field(
        default=None,
        description="key for Prometheus: grants access only to `/metrics` of the API and of workers",
    )
    open_loopback: bool = Field(
        default=False,
        description="for development: a client on 127.0.0.1 or ::1, not behind a proxy, is an administrator "
        "without a key",
    )
    failed_key_limit: int = Field(
        default=20,
        ge=1,
        le=100_000,
        description="wrong keys accepted per address and minute; beyond, the address is rejected until the "
        "minute ends",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="addresses or networks of reverse proxies, separated by commas, whose `X-Forwarded-For` "
        "and `X-Forwarded-Proto` are trusted",
    )
    url_prefix: UrlPrefix = Field(
        default="",
        description="path under which a reverse proxy serves API or monitor, such as `/shop`; the proxy may "
        "strip it or pass it on",
    )
    cors_origins: Origins = Field(
        default=(),
        description="origins whose pages may call the API from a browser, separated by commas: "
        "`https://shop.example`, or `*`",
    )
    docs: bool = Field(default=True, description="whether `/docs` and `/openapi.json` are served")
    max_body_bytes: int = Field(
        default=1_048_576, ge=1024, le=134_217_728, description="maximum size of a request's body"
    )
    max_upload_bytes: int = Field(
        default=268_435_456,
        ge=1024,
        le=17_179_869_184,
        description="maximum size of the body of `PUT /admin/batches`; beyond 1 MiB it is buffered in a "
        "temporary file",
    )
    max_unpacked_bytes: int = Field(
        default=1_073_741_824,
        ge=1024,
        le=1_099_511_627_776,
        description="maximum size of a gzip file that is imported or uploaded, unpacked",
    )
    body_timeout: Duration = Field(
        default=timedelta(seconds=30),
        ge=timedelta(milliseconds=100),
        le=timedelta(hours=1),
        description="time limit for receiving a body; for an upload, the longest pause",
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
        description="maximum number of jobs in a queue, running ones included; enqueueing more is rejected",
    )
    schedule_catch_up: Duration = Field(
        default=timedelta(days=1),
        ge=timedelta(0),
        le=timedelta(days=31),
        description="maximum age of a missed tick of a schedule that is still run late when a worker is back",
    )
    unknown_task_patience: Duration = Field(
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

    days_threshold: int = Field(
        default=30, ge=1, le=365, description="days before expiry from which on a batch may get a discount"
    )
    recompute_shards: int = Field(
        default=1,
        ge=1,
        le=BUCKET_COUNT,
        description="child jobs into which a large recompute is split, for all workers to share; 1 for none",
    )
    recompute_shards_from: int = Field(
        default=50_000,
        ge=0,
        description="number of changed batches above which a recompute is split; with fewer, one worker is "
        "faster",
    )
    history_retention_days: int = Field(
        default=730,
        ge=31,
        le=36500,
        description="days that the history of prices and base prices is kept; the ledger is kept for ever",
    )
    run_history_retention_days: int = Field(
        default=30, ge=1, le=3650, description="days that the run history is kept in the database"
    )
    currency: Currency = Field(
        default="EUR", description="currency of the installation (ISO 4217, with two decimals)"
    )

    database_pool_size: int = Field(default=10, ge=1, le=500, description="database connections per program")
    database_prepared_statements: bool = Field(
        default=True,
        description="set `false` if the database is behind PgBouncer in transaction mode",
    )
    database_read_timeout: DatabaseTimeout = Field(
        default=timedelta(seconds=15),
        description="statement timeout of API reads; 0 for no limit",
    )
    database_read_lock_timeout: DatabaseTimeout = Field(
        default=timedelta(seconds=3),
        description="lock timeout of API reads; 0 for no limit",
    )
    database_write_timeout: DatabaseTimeout = Field(
        default=timedelta(seconds=30),
        description="statement timeout of changes of a few rows, of commands and of the monitor",
    )
    database_write_lock_timeout: DatabaseTimeout = Field(
        default=timedelta(seconds=10), description="lock timeout of the same changes"
    )
    database_recompute_timeout: DatabaseTimeout = Field(
        default=timedelta(hours=1),
        description="statement timeout of work on whole tables: tasks, imports, previews",
    )
    database_recompute_lock_timeout: DatabaseTimeout = Field(
        default=timedelta(minutes=1),
        description="lock timeout of work on whole tables; a task that exceeds it is retried",
    )
    database_migration_timeout: DatabaseTimeout = Field(
        default=timedelta(hours=1), description="statement timeout of `flexiprice migrate`"
    )
    database_migration_lock_timeout: DatabaseTimeout = Field(
        default=timedelta(seconds=30),
        description="lock timeout of `flexiprice migrate`; reads queue behind its locks",
    )
    log_level: LogLevel = Field(default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`")
    log_format: LogFormat = Field(default=LogFormat.AUTO, description="`auto`, `json` or `console`")

    def require_database_url(self) -> str:
        """Returns the database's URL.

        Raises:
            InvalidSettings: none is configured.
        """
        return _required("database_url", self.database_url, "postgresql://user:password@host:5432/flexiprice")

    def require_redis_url(self) -> str:
        """Returns the URL of Redis.

        Raises:
            InvalidSettings: none is configured.
        """
        return _required("redis_url", self.redis_url, "redis://localhost:6379/0")


SECRETS: Final = ("database_url", "redis_url", "api_key", "monitor_read_key", "metrics_key")
"""Settings that are never shown; a file may contain each: `FLEXIPRICE_API_KEY_FILE`."""


def _required(name: str, value: SecretStr | None, example: str) -> str:
    if value is None:
        variable = f"{PREFIX}{name.upper()}"
        raise InvalidSettings(
            f"{variable} is not set: set it, for example {variable}={example}, "
            "or run `flexiprice up`, which starts servers of its own"
        )
    return value.get_secret_value()


def load_settings(env_files: Sequence[Path] = ENV_FILES, **overrides: object) -> Settings:
    """Reads the settings, once per program.

    Args:
        env_files: files of `NAME=value` lines; later ones win, missing ones are skipped.
        **overrides: values by field name, which win over every source.

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
            f"{PREFIX}{str(fault['loc'][0]).upper() if fault['loc'] else ''}: {reason_of(fault)}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise InvalidSettings("; ".join(faults)) from None


def unknown_variables() -> list[str]:
    """Lists `FLEXIPRICE_*` variables of the environment that are no settings, such as misspelt ones."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{PREFIX}{name.upper()}{SUFFIX}" for name in SECRETS}
    return sorted(
        name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known
    )
