"""Queries of the page of imports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flexiprice.catalog.imports.known_exports import ExportName
from flexiprice.catalog.imports.saved_mappings import list_mappings
from flexiprice.catalog.stores import list_stores
from flexiprice.db.engine import database_errors
from flexiprice.import_folder.records import ListedFileImport, list_file_imports
from flexiprice.resources import Resources

LISTED: Final = 100
_MOST_STORES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportChoices:
    """The choices of a person who imports a file.

    Attributes:
        formats: known exports, then saved mappings.
        stores: codes of the stores.
    """

    formats: Sequence[str]
    stores: Sequence[str]


async def read_choices(resources: Resources) -> ImportChoices:
    """Reads the formats and stores that exist now.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer.
    """
    with database_errors():
        async with resources.sessions() as session:
            saved = [mapping.name for mapping in await list_mappings(session)]
            stores = [store.code for store in await list_stores(session, limit=_MOST_STORES)]
    return ImportChoices(formats=[*map(str, ExportName), *saved], stores=stores)


async def read_imports(resources: Resources) -> tuple[ListedFileImport, ...]:
    """Reads the latest imports.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer.
    """
    with database_errors():
        async with resources.sessions() as session:
            return await list_file_imports(session, limit=LISTED)
