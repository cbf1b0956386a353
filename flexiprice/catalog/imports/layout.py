"""The layout of a file: where its fields are and how its cells are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flexiprice.catalog.imports.columns import names_columns
from flexiprice.catalog.imports.export_columns import ColumnSource
from flexiprice.catalog.imports.fields import ImportField
from flexiprice.catalog.imports.files.records import FileFormat
from flexiprice.catalog.imports.files.sources import MAX_UNPACKED_BYTES, WORKBOOK_MEMORY_BYTES, SourceOptions
from flexiprice.catalog.imports.known_exports import KnownExport
from flexiprice.catalog.imports.notation.dates import DEFAULT_DATE_FORMATS, Timestamps
from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.db.tables import MAIN_STORE


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayout:
    """The notation of a file; None is detected.

    Attributes:
        columns: column of the file by field; an empty name means that no column holds the field. A name
            with points, such as `product.name`, is a field of a nested JSON object.
        export: the known export whose columns complete these.
        date_formats: `strptime` formats of its dates.
        timestamps: the treatment of dates with a time of day.
        decimal_comma: whether amounts are written as `1.234,50`.
        currency: the installation's, ISO 4217; amounts in another currency are refused.
        default_store: code of the store for rows without one.
        default_category: category of products whose rows have none; None makes such rows bad.
        keeps_undated: whether rows without an expiry date are kept, rather than bad.
        as_of: the instant at which stock of rows without one holds; None is the time of receipt.
        encoding: of its text.
        delimiter: between the cells of a CSV file.
        file_format: of the file.
        sheet: the name of a workbook's sheet.
        max_unpacked_bytes: the maximum size of a compressed file, unpacked.
        workbook_memory_bytes: the maximum of address space for reading a workbook.
        spelling: the notation of options in warnings and errors.
    """

    columns: Mapping[ImportField, str] = field(default_factory=dict[ImportField, str])
    export: KnownExport | None = None
    date_formats: tuple[str, ...] = DEFAULT_DATE_FORMATS
    timestamps: Timestamps = Timestamps.REFUSE
    decimal_comma: bool = False
    currency: str = "EUR"
    default_store: str = MAIN_STORE
    default_category: str | None = None
    keeps_undated: bool = False
    as_of: datetime | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    file_format: FileFormat | None = None
    sheet: str | None = None
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES
    workbook_memory_bytes: int = WORKBOOK_MEMORY_BYTES
    spelling: Spelling = Spelling.COMMAND


def dispensable_fields(layout: FileLayout) -> frozenset[ImportField]:
    """Returns the required fields that a file of this layout may lack."""
    undated = {ImportField.EXPIRY_DATE} if layout.keeps_undated else set[ImportField]()
    return frozenset(undated | {ImportField.CATEGORY} if layout.default_category is not None else undated)


def column_source(layout: FileLayout) -> ColumnSource:
    """Returns the mapping of a layout's columns."""
    return ColumnSource(layout.columns, layout.export, dispensable_fields(layout))


def source_options(layout: FileLayout) -> SourceOptions:
    """Returns the options for opening a file of this layout."""
    columns = column_source(layout)
    return SourceOptions(
        file_format=layout.file_format,
        encoding=layout.encoding,
        delimiter=layout.delimiter,
        is_header=lambda names: names_columns(names, columns.mapping_of(names)),
        paths=columns.paths,
        sheet=layout.sheet,
        max_unpacked_bytes=layout.max_unpacked_bytes,
        workbook_memory_bytes=layout.workbook_memory_bytes,
        spelling=layout.spelling,
    )
