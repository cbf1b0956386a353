"""Saves the options of an import under a name, and finds what a name of a format means."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from types import SimpleNamespace

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.file_options import FileOptions, ImportRequest
from flexiprice.catalog.imports.files.records import FileFormat
from flexiprice.catalog.imports.known_exports import ExportName
from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.db.audit_notes import note_change
from flexiprice.db.import_tables import ImportMapping
from flexiprice.domain.audit import changes_between
from flexiprice.errors import InvalidInput, NotFound

BUILT_IN = (*FileFormat, *ExportName)
"""The names of file formats and known exports, which no mapping may have."""
MAX_MAPPINGS = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class SavedMapping:
    """Options that were saved under a name, and the instant of that."""

    name: str
    options: FileOptions
    saved_at: datetime


def check_mapping_name(name: str) -> None:
    """Checks that a mapping may have a name.

    Raises:
        InvalidInput: it may not.
    """
    if name in BUILT_IN:
        raise InvalidInput(f"{name} is a built-in format: choose another name", field="save_map")
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{shown(name)} must begin with a lower-case letter or a digit, and have at most 40 of these, "
            "hyphens and underscores, such as night-export",
            field="save_map",
        )


async def resolve_options(session: AsyncSession, request: ImportRequest) -> tuple[FileOptions, ImportRequest]:
    """Returns the options of a request, completed by its format, and the request with its file format.

    Raises:
        InvalidInput: no format, export or mapping has that name.
    """
    name = request.format_name
    if name is None:
        return request.options, request
    if name in set(FileFormat):
        return request.options, replace(request, file_format=FileFormat(name))
    if name in set(ExportName):
        return request.options.over(FileOptions(export=ExportName(name))), request
    row = await session.scalar(select(ImportMapping.options).where(ImportMapping.name == name))
    if row is None:
        raise _unknown(name, [saved.name for saved in await list_mappings(session)])
    return request.options.over(FileOptions.model_validate(row)), request


async def save_mapping(session: AsyncSession, name: str, options: FileOptions) -> None:
    """Saves options under a name; a mapping that has it is replaced.

    Raises:
        InvalidInput: a mapping may not have that name.
    """
    check_mapping_name(name)
    document = options.model_dump(mode="json", exclude_none=True)
    old = await session.scalar(select(ImportMapping.options).where(ImportMapping.name == name))
    statement = insert(ImportMapping).values(name=name, options=document)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[ImportMapping.name],
            set_={"options": statement.excluded.options, "saved_at": func.now()},
        )
    )
    before = None if old is None else FileOptions.model_validate(old)
    _note(session, name, before, options)


async def list_mappings(session: AsyncSession) -> tuple[SavedMapping, ...]:
    """Lists the mappings by name, at most `MAX_MAPPINGS`."""
    query = select(ImportMapping.name, ImportMapping.options, ImportMapping.saved_at)
    rows = await session.execute(query.order_by(ImportMapping.name).limit(MAX_MAPPINGS))
    return tuple(
        SavedMapping(name, FileOptions.model_validate(options), saved_at) for name, options, saved_at in rows
    )


async def delete_mapping(session: AsyncSession, name: str) -> None:
    """Deletes a mapping.

    Raises:
        NotFound: there is none of that name.
    """
    statement = delete(ImportMapping).where(ImportMapping.name == name).returning(ImportMapping.options)
    old = await session.scalar(statement)
    if old is None:
        raise NotFound(f"there is no mapping {shown(name)}", field="name")
    _note(session, name, FileOptions.model_validate(old), None)


def _note(session: AsyncSession, name: str, before: FileOptions | None, after: FileOptions | None) -> None:
    changes = changes_between(_as_audited(before), _as_audited(after), tuple(FileOptions.model_fields))
    note_change(session, name, changes)


def _as_audited(options: FileOptions | None) -> object:
    if options is None:
        return None
    columns = [f"{field}={column}" for field, column in options.columns.items()]
    return SimpleNamespace(**{**dict(options), "columns": columns})


def _unknown(name: str, saved: list[str]) -> InvalidInput:
    known = [*map(str, BUILT_IN), *saved]
    near = get_close_matches(name.lower(), known, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; it is one of {', '.join(known[:40])}"
    return InvalidInput(f"there is no format or saved mapping {shown(name)}{hint}", field="format")
