"""The options of an import that describe its file, as a user gives and as a mapping saves them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from flexiprice.catalog.imports.fields import ImportField
from flexiprice.catalog.imports.files.records import FileFormat
from flexiprice.catalog.imports.known_exports import KNOWN_EXPORTS, ExportName
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.notation.absent_dates import NoExpiry
from flexiprice.catalog.imports.notation.dates import DEFAULT_DATE_FORMATS, Timestamps
from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.db.tables import MAIN_STORE
from flexiprice.domain.catalog import CategoryName
from flexiprice.settings import Settings


class FileOptions(BaseModel):
    """The columns and the notation of a file; what is None was not given.

    Attributes:
        export: the known export.
        columns: column of the file by field, see `FileLayout`.
        date_formats: formats of its dates.
        timestamps: the treatment of dates with a time of day.
        decimal_comma: whether amounts are written as `1.234,50`.
        encoding: of its text.
        delimiter: between the cells of a CSV file.
        sheet: the name of a workbook's sheet.
        store: code of the store for rows without one.
        default_category: category of products whose rows have none.
        no_expiry: the treatment of rows without an expiry date.
    """

    # A newer version may have saved more.
    model_config = ConfigDict(frozen=True, extra="ignore")

    export: ExportName | None = None
    columns: dict[ImportField, str] = {}
    date_formats: tuple[str, ...] | None = None
    timestamps: Timestamps | None = None
    decimal_comma: bool | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    store: str | None = None
    default_category: CategoryName | None = None
    no_expiry: NoExpiry | None = None

    def over(self, base: Self) -> Self:
        """Returns these options, completed by others."""
        given = {name: value for name, value in self if value is not None}
        return base.model_copy(update={**given, "columns": {**base.columns, **self.columns}})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """The wishes of a user about a file.

    Attributes:
        options: the given options, which win over those of `format_name`.
        format_name: a file format, a known export or a saved mapping.
        file_format: the file format, if it is known otherwise.
        as_of: the instant at which stock of rows without one holds; None is the time of receipt.
        spelling: the notation of options in warnings and errors.
    """

    options: FileOptions
    format_name: str | None = None
    file_format: FileFormat | None = None
    as_of: datetime | None = None
    spelling: Spelling = Spelling.COMMAND


def layout_of(options: FileOptions, request: ImportRequest, settings: Settings) -> FileLayout:
    """Returns the layout of a file, with the limits and the currency of the installation."""
    return FileLayout(
        columns=options.columns,
        export=KNOWN_EXPORTS[options.export] if options.export is not None else None,
        date_formats=options.date_formats or DEFAULT_DATE_FORMATS,
        timestamps=options.timestamps or Timestamps.REFUSE,
        decimal_comma=bool(options.decimal_comma),
        currency=settings.currency,
        default_store=options.store or MAIN_STORE,
        default_category=options.default_category,
        keeps_undated=options.no_expiry is NoExpiry.KEEP,
        encoding=options.encoding or "utf-8",
        delimiter=options.delimiter,
        sheet=options.sheet,
        file_format=request.file_format,
        as_of=request.as_of,
        max_unpacked_bytes=settings.max_unpacked_bytes,
        workbook_memory_bytes=settings.workbook_memory_bytes,
        spelling=request.spelling,
    )
