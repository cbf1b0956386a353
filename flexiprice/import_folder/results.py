"""Moves a finished file to `done` or `failed`, with its report beside it."""

import csv
import io
import json
from pathlib import Path
from typing import Any, Final, cast

from flexiprice.catalog.imports.csv_cells import inert
from flexiprice.domain.file_import import FileImportStatus
from flexiprice.import_folder.dropped_files import DroppedFile, finished_path
from flexiprice.import_folder.records import FileImportRecord

REPORT_SUFFIX: Final = ".report.json"
BAD_ROWS_SUFFIX: Final = ".errors.csv"


def finish(directory: Path, file: DroppedFile, record: FileImportRecord) -> Path:
    """Writes the report and the bad rows beside the place of the finished file, then moves the file there.

    It may be repeated until the file has been moved.

    Returns:
        The path of the moved file.

    Raises:
        OSError: a file cannot be written or moved.
    """
    target = finished_path(directory, file, failed=record.status is FileImportStatus.FAILED)
    target.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "file": record.place,
        "status": record.status.value,
        "error": record.error,
        "report": record.report,
    }
    text = json.dumps(report, ensure_ascii=False, indent=2)
    _write(target.with_name(target.name + REPORT_SUFFIX), f"{text}\n")
    rows = [*_bad_rows(record, "bad_rows"), *_bad_rows(record, "set_aside_rows")]
    if rows:
        _write(target.with_name(target.name + BAD_ROWS_SUFFIX), _csv_of(rows))
    # Last: a file that is still in its folder is finished again.
    file.path.replace(target)
    return target


def _bad_rows(record: FileImportRecord, name: str) -> list[tuple[int, str, str]]:
    rows = cast("list[dict[str, Any]]", (record.report or {}).get(name, []))
    return [
        (row["line"], inert(problem["column"] or ""), problem["reason"])
        for row in rows
        for problem in row["problems"]
    ]


def _csv_of(rows: list[tuple[int, str, str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("line", "column", "reason"))
    writer.writerows(sorted(rows))
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    # A program that waits for the file finds it whole.
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(text, encoding="utf-8", errors="replace", newline="")
    unfinished.replace(path)
