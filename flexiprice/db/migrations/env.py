"""Runs migrations: everything that is pending in one transaction, one runner at a time.

Used by plain `alembic` commands, configured in pyproject.toml, and by `flexiprice.db.migrate`.
"""

import asyncio

from alembic import context
from alembic.runtime.migration import MigrationInfo
from sqlalchemy import Connection, select

from flexiprice.db.database_clock import DATABASE_NOW
from flexiprice.db.engine import create_engine
from flexiprice.db.locks import Lock, take_lock_on
from flexiprice.db.operations_tables import METADATA
from flexiprice.db.partitions import ensure_partitions_on, is_partition
from flexiprice.settings import load_settings


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name is not None and is_partition(name))


def _migrate(connection: Connection) -> None:
    take_lock_on(connection, Lock.MIGRATIONS)
    upgraded = bool(context.config.attributes.get("upgrade"))

    def note(ctx: object, step: MigrationInfo, heads: object, run_args: object) -> None:  # noqa: ARG001 the hook's
        nonlocal upgraded
        upgraded = step.is_upgrade

    context.configure(
        connection=connection,
        target_metadata=METADATA,
        include_name=_is_ours,
        compare_server_default=True,
        on_version_apply=note,
    )
    context.run_migrations()
    if upgraded:
        ensure_partitions_on(connection, now=connection.execute(select(DATABASE_NOW)).scalar_one())


async def _run() -> None:
    settings = load_settings(database_url=context.config.attributes.get("database_url"))
    engine = create_engine(settings, application_name="flexiprice-migrate")
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


asyncio.run(_run())
