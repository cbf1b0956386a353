"""`flexiprice audit`: who changed what."""

import json
from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.cli.connections import command_settings, in_transaction
from flexiprice.cli.console import JsonOption, instant, new_table, output, plain, print_json
from flexiprice.cli.durations import duration
from flexiprice.db.database_clock import database_now
from flexiprice.services.audit import MAX_LISTED_ENTRIES, RecordedChange, list_audit

_MONTH = timedelta(days=30)
_LONGEST_DETAILS = 80


def audit(
    *,
    actor: Annotated[str | None, typer.Option(help="Only by this one.", metavar="NAME")] = None,
    action: Annotated[str | None, typer.Option(help="Only of this kind.", metavar="ACTION")] = None,
    target: Annotated[str | None, typer.Option(help="Only to this.", metavar="TARGET")] = None,
    since: Annotated[
        timedelta, typer.Option(parser=duration, metavar="TIME", help="How far to look back: 15m, 2h, 1d.")
    ] = _MONTH,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LISTED_ENTRIES - 1, help="Show at most so many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show who changed what, from where and when, the latest first. The entries are kept for good."""

    async def use(session: AsyncSession) -> tuple[RecordedChange, ...]:
        after = await database_now(session) - since
        return await list_audit(session, actor=actor, action=action, target=target, since=after, limit=limit)

    found = in_transaction(command_settings(), use)
    if as_json:
        print_json(found)
        return
    table = new_table("when", "who", "through", "from", "did", "to", "details")
    for entry in found:
        details = json.dumps(entry.details, ensure_ascii=False) if entry.details else ""
        short = details if len(details) <= _LONGEST_DETAILS else f"{details[:_LONGEST_DETAILS]}…"
        table.add_row(
            instant(entry.at),
            plain(entry.actor),
            entry.source.value,
            plain(entry.address),
            plain(entry.action),
            plain(entry.target),
            plain(short),
        )
    output().print(table if found else "Nothing was changed in that time.")
