"""`flexiprice migrate`: creates or upgrades the database's tables."""

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.access.audit_log import record_audit
from flexiprice.cli.access.audit import cli_event
from flexiprice.cli.broker import command_settings
from flexiprice.cli.connections import in_transaction
from flexiprice.cli.console import JsonOption, output, print_json
from flexiprice.db.migrate import head_revision, is_current, upgrade


def migrate(*, as_json: JsonOption = False) -> None:
    """Create the tables or upgrade them to this version, and create missing partitions.

    Safe to run at any time, and several times at once. Run it before the API and the workers start.
    """
    settings = command_settings()
    was_current = in_transaction(settings, is_current)
    upgrade(settings.require_database_url())
    if not was_current:
        in_transaction(settings, _write_down)
    if as_json:
        print_json({"revision": head_revision()})
    else:
        output().print(f"The database is at revision {head_revision()}.")


async def _write_down(session: AsyncSession) -> None:
    await record_audit(session, [cli_event("migrate", head_revision())])
