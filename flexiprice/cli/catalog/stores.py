"""`flexiprice stores`: manages stores and their time zones."""

from dataclasses import asdict
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.access.audit_log import record_audit
from flexiprice.catalog import stores
from flexiprice.catalog.store_overview import StoreOverview, list_store_overviews
from flexiprice.catalog.stores import StoreRecord
from flexiprice.cli.access.audit import cli_event, recording_refusals
from flexiprice.cli.broker import command_settings
from flexiprice.cli.connections import in_transaction
from flexiprice.cli.console import JsonOption, escaped, new_table, output, print_json
from flexiprice.cli.tasks.enqueue import reprice, repricing
from flexiprice.db.clock import database_now
from flexiprice.domain.catalog import StoreCode, TimeZoneName
from flexiprice.domain.validation_reasons import reason_of
from flexiprice.errors import InvalidInput

app = typer.Typer(
    name="stores", no_args_is_help=True, help="List and create stores, and set their time zones."
)
_CODE = TypeAdapter[str](StoreCode)
_TIME_ZONE = TypeAdapter[str](TimeZoneName)

CodeArgument = Annotated[str, typer.Argument(metavar="CODE", help="Short name of the store.")]
_ZONE_HELP = "IANA name of the store's time zone, such as Europe/Berlin."


@app.command("list")
def list_all(*, as_json: JsonOption = False) -> None:
    """Show the stores with their time zones, local dates and numbers of batches and discounts."""

    async def use(session: AsyncSession) -> tuple[StoreOverview, ...]:
        return await list_store_overviews(session, now=await database_now(session))

    found = in_transaction(command_settings(), use)
    if as_json:
        print_json(found)
        return
    table = new_table("store", "time zone", "today", "batches", "discounts", numbers=("batches", "discounts"))
    for store in found:
        table.add_row(
            escaped(store.code),
            escaped(store.time_zone),
            str(store.today),
            f"{store.batches:,}",
            f"{store.discounts:,}",
        )
    output().print(table)


@app.command()
def create(
    *,
    code: CodeArgument,
    time_zone: Annotated[str, typer.Option(metavar="ZONE", help=_ZONE_HELP)] = "UTC",
    as_json: JsonOption = False,
) -> None:
    """Add a store, so that stock can be imported for it."""
    settings = command_settings()
    with recording_refusals(settings, "create_store", code):
        code, time_zone = _valid(_CODE, code, "code"), _valid(_TIME_ZONE, time_zone, "time_zone")

        async def use(session: AsyncSession) -> StoreRecord:
            created = await stores.create_store(session, code=code, time_zone=time_zone)
            await record_audit(session, [cli_event("create_store", code)])
            return created

        created = in_transaction(settings, use)
    if as_json:
        print_json(created)
    else:
        output().print(f"{escaped(created.code)} is created; its dates are those of {escaped(time_zone)}.")


@app.command("set-time-zone")
def set_time_zone(
    *,
    code: CodeArgument,
    time_zone: Annotated[str, typer.Argument(metavar="ZONE", help=_ZONE_HELP)],
    as_json: JsonOption = False,
) -> None:
    """Move a store to another time zone: its dates, and with them its prices, may change."""
    settings = command_settings()
    with recording_refusals(settings, "change_store", code):
        time_zone = _valid(_TIME_ZONE, time_zone, "time_zone")

        async def use(session: AsyncSession) -> StoreRecord:
            changed = await stores.change_store(session, code, time_zone=time_zone)
            await record_audit(session, [cli_event("change_store", code)])
            return changed

        changed = in_transaction(settings, use)
    job = reprice(settings)
    if as_json:
        print_json(asdict(changed) | {"repricing": repricing(job)})
        return
    output().print(f"The dates of {escaped(changed.code)} are those of {escaped(changed.time_zone)} now.")
    if job is not None:
        output().print(f"The workers reprice it now: flexiprice status {escaped(job.job_id)}")


def _valid(adapter: TypeAdapter[str], value: str, field: str) -> str:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        reason = reason_of(error.errors(include_url=False)[0])
        raise InvalidInput(f"{field.replace('_', ' ')} {value!r}: {reason}", field=field) from None
