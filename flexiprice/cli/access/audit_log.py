"""`flexiprice audit`: shows the audit log."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.access.audit_log import MAX_LISTED_ENTRIES, AuditLogEntry, list_audit
from flexiprice.cli.broker import command_settings
from flexiprice.cli.connections import in_transaction
from flexiprice.cli.console import JsonOption, escaped, format_time, new_table, output, print_json
from flexiprice.cli.durations import duration
from flexiprice.db.clock import database_now
from flexiprice.domain.audit import AuditOutcome

_MONTH = timedelta(days=30)


def audit(
    *,
    actor: Annotated[str | None, typer.Option(help="Only by this one.", metavar="NAME")] = None,
    action: Annotated[str | None, typer.Option(help="Only of this kind.", metavar="ACTION")] = None,
    target: Annotated[
        str | None, typer.Option(help="Only to what has this in its name.", metavar="TARGET")
    ] = None,
    outcome: Annotated[AuditOutcome | None, typer.Option(help="Only with this outcome.")] = None,
    address: Annotated[
        str | None, typer.Option(help="Only from this address or machine.", metavar="ADDRESS")
    ] = None,
    since: Annotated[
        timedelta, typer.Option(parser=duration, metavar="TIME", help="How far to look back: 15m, 2h, 1d.")
    ] = _MONTH,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_LISTED_ENTRIES - 1, help="Show at most this many.")
    ] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show who changed what, from where and when, the latest change first. Entries are never deleted."""

    async def use(session: AsyncSession) -> tuple[AuditLogEntry, ...]:
        after = await database_now(session) - since
        return await list_audit(
            session,
            actor=actor,
            action=action,
            target=target,
            outcome=outcome,
            address=address,
            since=after,
            limit=limit,
        )

    found = in_transaction(command_settings(), use)
    if as_json:
        print_json([{**asdict(entry), "sentence": entry.sentence} for entry in found])
        return
    table = new_table("when", "who", "through", "from", "what")
    for entry in found:
        table.add_row(
            format_time(entry.at),
            escaped(entry.words.who),
            entry.source.value,
            escaped(entry.address),
            escaped(entry.sentence),
        )
    output().print(table if found else "Nothing was changed in that time.")
