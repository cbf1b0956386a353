"""`flexiprice keys`: manages API keys and their scopes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.access.api_keys import (
    IssuedKey,
    RecordedKey,
    create_api_key,
    list_api_keys,
    revoke_api_key,
    rotate_api_key,
)
from flexiprice.access.audit_log import record_audit
from flexiprice.cli.access.audit import cli_event, recording_refusals
from flexiprice.cli.access.sessions import end, sessions, sign_in
from flexiprice.cli.broker import command_settings
from flexiprice.cli.connections import in_transaction
from flexiprice.cli.console import JsonOption, escaped, format_time, new_table, output, print_json, stderr
from flexiprice.cli.durations import duration
from flexiprice.db.clock import database_now
from flexiprice.domain.access import Scope
from flexiprice.plurals import noun_for

app = typer.Typer(name="keys", help="Create, list, rotate and revoke API keys.", no_args_is_help=True)
app.command("sign-in")(sign_in)
app.command("sessions")(sessions)
app.command("end-sessions")(end)
NameArgument = Annotated[str, typer.Argument(help="Name of the key.", metavar="NAME")]
_AT_MOST_SECONDS = 5


@app.command()
def create(
    *,
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the key, and the actor of its changes in the audit log.", metavar="NAME"
        ),
    ],
    scope: Annotated[
        list[Scope],
        typer.Option(
            help="May be repeated: no scope contains another. `read` reads; `events` receives events; "
            "`labels` prints labels; `prices` changes stock, policies and prices; `approve` approves prices; "
            "`admin` does all of these, and operates tasks, queues and workers."
        ),
    ] = [Scope.READ],  # noqa: B006 -- typer reads it and changes nothing
    expires_in: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration, metavar="TIME", help="Lifetime of the key: 12h, 90d.", show_default="unlimited"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a key and print it once: only its hash is stored."""

    async def use(session: AsyncSession) -> IssuedKey:
        now = await database_now(session)
        issued = await create_api_key(
            session, name=name, scopes=scope, now=now, expires_at=_after(now, expires_in)
        )
        await record_audit(session, [cli_event("create_api_key", name)])
        return issued

    settings = command_settings()
    with recording_refusals(settings, "create_api_key", name):
        issued = in_transaction(settings, use)
    _show_issued(issued, as_json=as_json)


@app.command("list")
def list_all(
    *,
    with_revoked: Annotated[bool, typer.Option("--all", help="Include revoked keys.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the keys with their scopes, expiry and last use, without secrets."""

    async def use(session: AsyncSession) -> tuple[datetime, tuple[RecordedKey, ...]]:
        return await database_now(session), await list_api_keys(session, with_revoked=with_revoked)

    now, found = in_transaction(command_settings(), use)
    if as_json:
        print_json(found)
        return
    table = new_table("name", "scopes", "begins with", "created", "last used", "expires", "")
    for key in found:
        table.add_row(
            escaped(key.name),
            ", ".join(key.scopes),
            f"fp_{key.key_id}_",
            format_time(key.created_at),
            format_time(key.last_used_at) or "never",
            format_time(key.expires_at) or "never",
            _state(key, now),
        )
    output().print(table)


@app.command()
def rotate(
    *,
    name: NameArgument,
    overlap: Annotated[
        timedelta,
        typer.Option(
            parser=duration, metavar="TIME", help="Time for which the old secret remains valid: 15m, 1d."
        ),
    ] = timedelta(0),
    expires_in: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration, metavar="TIME", help="New lifetime of the key: 90d.", show_default="unchanged"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replace the secret of a key and print the new one once; its name and scopes stay."""

    async def use(session: AsyncSession) -> IssuedKey:
        now = await database_now(session)
        issued = await rotate_api_key(
            session, name, now=now, overlap=overlap, expires_at=_after(now, expires_in)
        )
        await record_audit(session, [cli_event("rotate_api_key", name)])
        return issued

    settings = command_settings()
    with recording_refusals(settings, "rotate_api_key", name):
        issued = in_transaction(settings, use)
    _show_issued(issued, as_json=as_json)


@app.command()
def revoke(*, name: NameArgument, as_json: JsonOption = False) -> None:
    """Revoke a key permanently."""

    async def use(session: AsyncSession) -> RecordedKey:
        revoked = await revoke_api_key(session, name, now=await database_now(session))
        await record_audit(session, [cli_event("revoke_api_key", name)])
        return revoked

    settings = command_settings()
    with recording_refusals(settings, "revoke_api_key", name):
        revoked = in_transaction(settings, use)
    if as_json:
        print_json(revoked)
    else:
        output().print(
            f"{escaped(name)} is revoked; it opens nothing any more, in {_AT_MOST_SECONDS} seconds at most."
        )


def _show_issued(issued: IssuedKey, *, as_json: bool) -> None:
    record = issued.record
    if as_json:
        print_json(issued)
        return
    # Alone on stdout, so that a script can read it into a variable.
    typer.echo(issued.key)
    old = ""
    if record.previous_until is not None:
        old = f" The old one opens until {format_time(record.previous_until)}."
    end = "" if record.expires_at is None else f" It expires {format_time(record.expires_at)}."
    stderr().print(
        f"The key {escaped(record.name)} {_may(record.scopes)}.{end}{old} "
        "Keep it now: it cannot be shown again."
    )


def _may(scopes: Sequence[Scope]) -> str:
    return f"has the {noun_for(len(scopes), 'scope')} {', '.join(scopes)}"


def _state(key: RecordedKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return f"[red]revoked[/] {format_time(key.revoked_at)}"
    if key.expires_at is not None and key.expires_at <= now:
        return "[red]expired[/]"
    if key.previous_until is not None and key.previous_until > now:
        return f"[yellow]old secret opens[/] until {format_time(key.previous_until)}"
    return ""


def _after(now: datetime, length: timedelta | None) -> datetime | None:
    return None if length is None else now + length
