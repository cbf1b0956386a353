"""Opens files of lines: CSV and NDJSON."""

from collections.abc import Collection, Iterator
from itertools import chain

from flexiprice.catalog.imports.files.csv_files import open_csv
from flexiprice.catalog.imports.files.json_records import ndjson_records
from flexiprice.catalog.imports.files.lines import Line
from flexiprice.catalog.imports.files.records import FileFormat, IsHeader, RecordFile
from flexiprice.errors import InvalidInput


def open_records(
    lines: Iterator[Line],
    *,
    delimiter: str | None = None,
    file_format: FileFormat | None = None,
    is_header: IsHeader | None = None,
    paths: Collection[str] = (),
) -> RecordFile:
    """Detects the format of a file and reads its header.

    Args:
        lines: the file's lines.
        delimiter: between the cells of a CSV file, see `open_csv`.
        file_format: by default NDJSON if the first character is `{`, else CSV.
        is_header: recognizes the header of a CSV file below title rows.
        paths: names of fields of nested NDJSON objects, see `record_of`.

    Raises:
        InvalidInput: the file is empty, or its header cannot be used.
    """
    first = next((line for line in lines if line.text.strip()), None)
    if first is None:
        raise InvalidInput("the file is empty")
    if file_format is None:
        file_format = FileFormat.NDJSON if first.text.lstrip().startswith("{") else FileFormat.CSV
    every = chain([first], lines)
    if file_format is FileFormat.NDJSON:
        return RecordFile(None, ndjson_records(every, paths))
    return open_csv(every, delimiter=delimiter, is_header=is_header)
