"""Settings of the servers, of the access to API and monitor, and of their requests."""

from datetime import timedelta

from pydantic import Field, SecretStr

from flexiprice.errors import InvalidSettings
from flexiprice.settings.group import SettingsGroup
from flexiprice.settings.values import (
    PREFIX,
    ApiKey,
    DatabaseUrl,
    Duration,
    Networks,
    Origins,
    RedisUrl,
    UrlPrefix,
)


class AccessSettings(SettingsGroup):
    """URLs of the servers, keys, and limits of requests."""

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
    body_timeout: Duration = Field(
        default=timedelta(seconds=30),
        ge=timedelta(milliseconds=100),
        le=timedelta(hours=1),
        description="time limit for receiving a body; for an upload, the longest pause",
    )

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


def _required(name: str, value: SecretStr | None, example: str) -> str:
    if value is None:
        variable = f"{PREFIX}{name.upper()}"
        raise InvalidSettings(
            f"{variable} is not set: set it, for example {variable}={example}, "
            "or run `flexiprice up`, which starts servers of its own"
        )
    return value.get_secret_value()
