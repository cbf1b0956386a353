"""A program that writes the rows of a workbook's sheet as JSON, one a line.

It runs apart from its caller, because calamine reads a sheet as a whole: a hostile workbook, whose last cell
is far away from the others, exhausts the memory that this program may use and nothing else. So it imports
the standard library and calamine alone.

Output: `{"sheet": name}`, then `[row, cells]` for each row that is not empty, then `{"end": true}`; or
`{"problem": kind, "names": sheets}`. A cell is a text, a number, true, false, `{"date": text}`,
`{"number": text}` for a number with more digits than a workbook keeps, or `{"kind": text}` for any other.
"""

import contextlib
import json
import mmap
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_MAX_SECONDS = 600
# More columns than an import takes; the caller says so.
_MAX_COLUMNS = 1001
_MAX_TEXT = 65_536
# Excel keeps 15 digits of a number.
_LARGEST_EXACT = 10**15
_CELL = re.compile(rb"<(?:[A-Za-z0-9]+:)?c\s([^<>]*)>")
_ERRORS = (b't="e"', b"t='e'")
_PLACE = re.compile(rb"""\br=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_PIECE = 1 << 20


def main(path: str, memory_bytes: str, sheet: str | None = None) -> None:
    """Writes the rows of a sheet, by default of the only one that is not empty."""
    _limit(int(memory_bytes))
    try:
        _write_workbook(path, sheet)
    except MemoryError:
        _write({"problem": "memory"})
    except ImportError:
        _write({"problem": "library"})
    except BaseException as error:  # noqa: BLE001 - a panic of the library is no Exception
        is_protected = type(error).__name__ == "PasswordError" or _is_encrypted(path)
        _write({"problem": "password" if is_protected else "damaged", "names": [str(error)[:200]]})


def _limit(memory_bytes: int) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on every system

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (_MAX_SECONDS, _MAX_SECONDS))


def _is_encrypted(path: str) -> bool:
    # An encrypted .xlsx is an OLE file with this stream, which the library does not recognize.
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:  # noqa: PTH123
        return content.find("EncryptedPackage".encode("utf-16-le")) >= 0


def _write_workbook(path: str, wanted: str | None) -> None:
    from python_calamine import CalamineWorkbook  # noqa: PLC0415 - after the limit

    with CalamineWorkbook.from_path(path) as workbook:
        sheet = _chosen(workbook, wanted)
        if sheet is None:
            return
        errors = _error_cells(path, sheet.name)
        _write({"sheet": sheet.name})
        for row, cells in enumerate(sheet.iter_rows(), start=1):
            written = [_cell(cell) for cell in cells]
            for place in errors.get(row, ()):
                if place < len(written):
                    written[place] = {"kind": "an error value, such as #N/A,"}
            while written and written[-1] == "":
                written.pop()
            if written:
                _write([row, written[:_MAX_COLUMNS]])
        _write({"end": True})


def _chosen(workbook: "CalamineWorkbook", wanted: str | None) -> "CalamineSheet | None":
    from python_calamine import SheetTypeEnum, SheetVisibleEnum  # noqa: PLC0415 - after the limit

    if wanted is not None:
        for name in workbook.sheet_names:
            if name.strip().casefold() == wanted.strip().casefold():
                return workbook.get_sheet_by_name(name)
        _write({"problem": "no such sheet", "names": workbook.sheet_names[:20]})
        return None
    first: CalamineSheet | None = None
    names: list[str] = []
    for about in workbook.sheets_metadata:
        if about.typ != SheetTypeEnum.WorkSheet or about.visible != SheetVisibleEnum.Visible:
            continue
        sheet = workbook.get_sheet_by_name(about.name)
        if sheet.start is not None:
            names.append(about.name)
            first = first or sheet
    if len(names) == 1:
        return first
    _write({"problem": "several sheets" if names else "empty", "names": names[:20]})
    return None


def _cell(cell: object) -> object:
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, int | float):
        return _number(cell)
    if isinstance(cell, str):
        return cell[: _MAX_TEXT + 1]
    if isinstance(cell, datetime):
        return {"date": cell.isoformat()}
    if isinstance(cell, date):
        return {"date": f"{cell.isoformat()}T00:00:00"}
    return {"kind": "a time of day or a duration"}


def _number(number: float) -> object:
    if float(number).is_integer() and abs(number) < _LARGEST_EXACT:
        return int(number)
    # As Excel shows it: 0.1 + 0.2 is 0.3.
    shown = f"{number:.15g}"
    rounded = float(shown)
    if abs(rounded) >= _LARGEST_EXACT or rounded != rounded:  # noqa: PLR0124 - not a number
        return {"number": shown}
    return int(rounded) if rounded.is_integer() else rounded


def _error_cells(path: str, sheet: str) -> Mapping[int, list[int]]:
    """Returns the places of error values in a sheet by row, which the library reads as empty cells.

    Only .xlsx and .xlsm name them in a way that can be read here.
    """
    found: dict[int, list[int]] = {}
    with contextlib.suppress(zipfile.BadZipFile, KeyError, ET.ParseError), zipfile.ZipFile(path) as archive:
        part = _part_of(archive, sheet)
        if part is not None:
            with archive.open(part) as file:
                for attributes in _error_attributes(iter(lambda: file.read(_PIECE), b"")):
                    if place := _PLACE.search(attributes):
                        found.setdefault(int(place[2]), []).append(_column(place[1]))
    return found


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    book = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314 - expat limits entities, and see above
    relations = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    targets = {each.get("Id"): each.get("Target", "") for each in relations}
    for each in book.iter():
        if each.tag.endswith("}sheet") and each.get("name") == sheet:
            target = targets.get(each.get(_RELATION), "")
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return None


def _error_attributes(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        text = rest + piece
        if _has_error(text):
            yield from (cell[1] for cell in _CELL.finditer(text) if _has_error(cell[1]))
        # The last element may be cut off; those before it are not seen again.
        rest = text[text.rfind(b"<") :] if b"<" in text else b""
        if len(rest) > _PIECE or rest.endswith(b">"):
            rest = b""


def _has_error(text: bytes) -> bool:
    return any(error in text for error in _ERRORS)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number - 1


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
