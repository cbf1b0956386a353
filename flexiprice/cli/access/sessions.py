"""`flexiprice keys sign-in | sessions | end-sessions`: manages sessions of the monitor."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Final

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.access.api_keys import BOOTSTRAP
from flexiprice.access.audit_log import record_audit
from flexiprice.access.monitor_sessions import SessionUse, end_sessions, list_sessions, offer_sign_in
from flexiprice.cli.access.audit import cli_event
from flexiprice.cli.broker import command_settings
from flexiprice.cli.connections import in_transaction
from flexiprice.cli.console import JsonOption, escaped, format_time, new_table, output, print_json, stderr
from flexiprice.db.clock import database_now
from flexiprice.errors import InvalidSettings
from flexiprice.settings import PREFIX, Settings

SIGN_IN_LIFE: Final = timedelta(hours=1)
"""Lifetime of an unused sign-in address."""


def sign_in_address(settings: Settings, monitor: str) -> str:
    """Creates an address that signs in to the monitor once, as the holder of the environment's key.

    Raises:
        InvalidSettings: that key is not set.
        DatabaseUnavailable: PostgreSQL does not answer.
    """
    key = settings.api_key
    if key is None:
        raise InvalidSettings(f"{PREFIX}API_KEY is not set: an address signs in as its holder")

    async def use(session: AsyncSession) -> str:
        now = await database_now(session)
        until = now + SIGN_IN_LIFE
        token = await offer_sign_in(session, key_name=BOOTSTRAP, key=key, now=now, until=until)
        await record_audit(session, [cli_event("offer_sign_in", BOOTSTRAP, {"until": until.isoformat()})])
        return token

    prefix = settings.url_prefix
    place = monitor.rstrip("/").removesuffix(prefix) + prefix
    return f"{place}/login?token={in_transaction(settings, use)}"


def sign_in(
    *,
    monitor: Annotated[
        str, typer.Option(metavar="URL", help="Address of the monitor.")
    ] = "http://127.0.0.1:5555",
    as_json: JsonOption = False,
) -> None:
    """Print an address that signs in to the monitor once, within an hour, with FLEXIPRICE_API_KEY."""
    address = sign_in_address(command_settings(), monitor)
    if as_json:
        print_json({"address": address})
        return
    typer.echo(address)
    stderr().print(f"It signs in once, within {SIGN_IN_LIFE.total_seconds() / 60:.0f} minutes.")


def sessions(*, as_json: JsonOption = False) -> None:
    """Show the sessions of the monitor."""
    settings = command_settings()

    async def use(session: AsyncSession) -> Sequence[SessionUse]:
        now = await database_now(session)
        return await list_sessions(session, now=now, idle=settings.monitor_session_idle)

    found = in_transaction(settings, use)
    if as_json:
        print_json(found)
        return
    table = new_table("key", "signed in", "last used")
    for one in found:
        table.add_row(escaped(one.key_name), format_time(one.created_at), format_time(one.seen_at))
    output().print(table)


def end(
    *,
    name: Annotated[
        str | None,
        typer.Argument(help="Name of the key whose sessions end.", metavar="NAME", show_default="all"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """End all sessions of the monitor, in all windows and on all monitors, or those of one key.

    The keys stay valid. Revoking a key ends its sessions too.
    """

    async def use(session: AsyncSession) -> int:
        ended = await end_sessions(session, key_name=name)
        await record_audit(session, [cli_event("end_sessions", name or "all", {"ended": ended})])
        return ended

    ended = in_transaction(command_settings(), use)
    if as_json:
        print_json({"ended": ended})
    else:
        output().print(f"Ended: {ended}. Open pages close within 5 seconds.")
