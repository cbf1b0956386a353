"""`flexiprice import-maps`: lists, shows and deletes saved mappings of imports."""

from collections.abc import Iterator
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.access.audit_log import record_audit
from flexiprice.catalog.imports.file_options import FileOptions
from flexiprice.catalog.imports.saved_mappings import SavedMapping, delete_mapping, list_mappings
from flexiprice.cli.access.audit import cli_event, recording_refusals
from flexiprice.cli.broker import command_settings
from flexiprice.cli.connections import in_transaction
from flexiprice.cli.console import JsonOption, escaped, new_table, output, print_json

app = typer.Typer(
    name="import-maps", no_args_is_help=True, help="List and delete the mappings that imports saved."
)


@app.command("list")
def list_all(*, as_json: JsonOption = False) -> None:
    """Show the saved mappings: columns, formats, encoding, delimiter, sheet and store of each."""

    async def use(session: AsyncSession) -> tuple[SavedMapping, ...]:
        return await list_mappings(session)

    found = in_transaction(command_settings(), use)
    if as_json:
        print_json([_as_json(saved) for saved in found])
        return
    if not found:
        output().print("No mapping is saved: flexiprice import FILE --map … --save-map NAME saves one.")
        return
    table = new_table("name", "options", "saved")
    for saved in found:
        table.add_row(
            escaped(saved.name),
            escaped(", ".join(_told(saved.options))),
            saved.saved_at.isoformat(" ", timespec="minutes"),
        )
    output().print(table)


@app.command()
def delete(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the mapping.")],
    as_json: JsonOption = False,
) -> None:
    """Delete a saved mapping; what was imported by it stays."""
    settings = command_settings()

    async def use(session: AsyncSession) -> None:
        await delete_mapping(session, name)
        await record_audit(session, [cli_event("delete_import_mapping", name)])

    with recording_refusals(settings, "delete_import_mapping", name):
        in_transaction(settings, use)
    if as_json:
        print_json({"name": name, "deleted": True})
    else:
        output().print(f"{escaped(name)} is deleted.")


def _as_json(saved: SavedMapping) -> dict[str, object]:
    options = saved.options.model_dump(mode="json", exclude_none=True)
    return {"name": saved.name, **options, "saved_at": saved.saved_at}


def _told(options: FileOptions) -> Iterator[str]:
    if options.export is not None:
        yield f"as {options.export}"
    for field, column in options.columns.items():
        yield f"{field} from {column}" if column else f"no {field}"
    if options.date_formats:
        yield f"dates {' or '.join(options.date_formats)}"
    if options.timestamps is not None:
        yield f"times of day {options.timestamps}"
    if options.no_expiry is not None:
        yield f"no expiry date: {options.no_expiry}"
    if options.decimal_comma is not None:
        yield "decimal comma" if options.decimal_comma else "decimal point"
    for word, value in (
        ("encoding", options.encoding),
        ("delimiter", options.delimiter),
        ("sheet", options.sheet),
        ("store", options.store),
        ("default category", options.default_category),
    ):
        if value is not None:
            yield f"{word} {value}"
