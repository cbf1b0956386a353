"""`flexiprice migrate`: the database's tables, made or brought up to date."""

from flexiprice.cli.connections import command_settings
from flexiprice.cli.console import JsonOption, output, print_json
from flexiprice.db.migrate import head_revision, upgrade


def migrate(*, as_json: JsonOption = False) -> None:
    """Make the tables, or bring them up to this version; make the partitions that are missing.

    Safe to run at any time, and by several at once. Run it before the API and the workers start.
    """
    upgrade(command_settings().require_database_url())
    if as_json:
        print_json({"revision": head_revision()})
    else:
        output().print(f"The database is at revision {head_revision()}.")
