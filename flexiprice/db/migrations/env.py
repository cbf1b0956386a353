"""Runs migrations: everything that is pending in one transaction, one runner at a time.

Used by plain `alembic` commands, configured in pyproject.toml, and by `flexiprice.db.migrate`.
"""

import asyncio

from alembic import context
from alembic.runtime.migration import MigrationInfo
from sqlalchemy import Connection, Select, func, select

from flexiprice.db.clock import DATABASE_NOW
from flexiprice.db.engine import create_engine
from flexiprice.db.locks import Lock, acquire_sync
from flexiprice.db.operations_tables import METADATA
from flexiprice.db.partitions import ensure_partitions_on, is_partition
from flexiprice.db.work import Work
from flexiprice.settings import load_settings


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name is not None and is_partition(name))


def _migrate(connection: Connection) -> None:
    _wait_for_other_migrations(connection)
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
    # An older schema may not have every partitioned table.
    is_newest = context.get_context().get_current_revision() == context.get_head_revision()
    if upgraded and is_newest:
        ensure_partitions_on(connection, now=connection.execute(select(DATABASE_NOW)).scalar_one())


def _wait_for_other_migrations(connection: Connection) -> None:
    # Another runner may take as long as a migration may; only locks of other sessions are not waited for.
    lock_timeout = connection.scalar(select(func.current_setting("lock_timeout")))
    connection.execute(_set_lock_timeout("0"))
    acquire_sync(connection, Lock.MIGRATIONS)
    connection.execute(_set_lock_timeout(str(lock_timeout)))


def _set_lock_timeout(value: str) -> Select[tuple[str]]:
    return select(func.set_config("lock_timeout", value, True))


async def _run() -> None:
    settings = load_settings(database_url=context.config.attributes.get("database_url"))
    engine = create_engine(settings, application_name="flexiprice-migrate", work=Work.MIGRATION)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


asyncio.run(_run())
