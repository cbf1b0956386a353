"""A mapping that was saved under a name is completed and overridden by what is given with it."""

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.file_options import FileOptions, ImportRequest, layout_of
from flexiprice.catalog.imports.files.records import FileFormat
from flexiprice.catalog.imports.known_exports import KNOWN_EXPORTS, ExportName
from flexiprice.catalog.imports.notation.dates import Timestamps
from flexiprice.catalog.imports.saved_mappings import (
    delete_mapping,
    list_mappings,
    resolve_options,
    save_mapping,
)
from flexiprice.db.import_tables import ImportMapping
from flexiprice.errors import InvalidInput, NotFound
from flexiprice.settings import Settings

SAVED = FileOptions(
    export=ExportName.ODOO,
    columns=parse_column_map(["sku=Code", "lot="]),
    date_formats=("%d.%m.%Y", "excel"),
    timestamps=Timestamps.WRITTEN,
    decimal_comma=True,
    encoding="cp1252",
    delimiter=";",
    sheet="Stock",
    store="main",
)


async def test_every_option_is_saved_and_what_is_given_wins(
    session: AsyncSession, settings: Settings
) -> None:
    await save_mapping(session, "night", SAVED)
    options, request = await resolve_options(
        session, ImportRequest(options=FileOptions(), format_name="night")
    )
    assert options == SAVED
    assert request.file_format is None
    given = FileOptions(columns=parse_column_map(["lot=Lot"]), decimal_comma=False, store="harbour")
    options, request = await resolve_options(session, ImportRequest(options=given, format_name="night"))
    assert options.columns == parse_column_map(["sku=Code", "lot=Lot"])
    layout = layout_of(options, request, settings)
    assert layout.export is KNOWN_EXPORTS[ExportName.ODOO]
    assert (layout.decimal_comma, layout.default_store, layout.encoding) == (False, "harbour", "cp1252")
    assert (layout.date_formats, layout.timestamps) == (("%d.%m.%Y", "excel"), Timestamps.WRITTEN)
    assert (layout.delimiter, layout.sheet) == (";", "Stock")


async def test_names_of_file_formats_and_exports_need_no_mapping(session: AsyncSession) -> None:
    _, request = await resolve_options(session, ImportRequest(options=FileOptions(), format_name="ndjson"))
    assert request.file_format is FileFormat.NDJSON
    options, _ = await resolve_options(session, ImportRequest(options=FileOptions(), format_name="grocy"))
    assert options.export is ExportName.GROCY
    with pytest.raises(InvalidInput, match="no format or saved mapping 'shopfy'; did you mean shopify"):
        await resolve_options(session, ImportRequest(options=FileOptions(), format_name="shopfy"))


async def test_saving_again_replaces_a_mapping_and_deleting_needs_one(session: AsyncSession) -> None:
    await save_mapping(session, "night", SAVED)
    await save_mapping(session, "a", FileOptions())
    await save_mapping(session, "night", FileOptions(sheet="Other"))
    found = [(saved.name, saved.options) for saved in await list_mappings(session)]
    assert found == [("a", FileOptions()), ("night", FileOptions(sheet="Other"))]
    await delete_mapping(session, "night")
    with pytest.raises(NotFound, match="there is no mapping 'night'"):
        await delete_mapping(session, "night")


async def test_options_that_only_a_newer_version_knows_are_ignored(session: AsyncSession) -> None:
    await save_mapping(session, "night", FileOptions(sheet="Stock"))
    await session.execute(update(ImportMapping).values(options={"sheet": "Stock", "unit": "kg"}))
    options, _ = await resolve_options(session, ImportRequest(options=FileOptions(), format_name="night"))
    assert options == FileOptions(sheet="Stock")
