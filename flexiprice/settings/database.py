"""Settings of the connections to PostgreSQL."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from flexiprice.settings.group import SettingsGroup
from flexiprice.settings.values import Duration

DatabaseTimeout = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=1))]


class DatabaseSettings(SettingsGroup):
    """Number of connections, and timeouts by kind of work."""

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
