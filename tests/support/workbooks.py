"""Makes small workbooks without a spreadsheet program: .xlsx and .ods."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from xml.sax.saxutils import escape

Cell = str | float | bool | date | None
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - a workbook's moments have no zone
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>'
)
_HIDDEN = ' state="hidden"'
_ODS = "urn:oasis:names:tc:opendocument:xmlns"


class Error(str):
    """An error value, such as `#N/A`."""

    __slots__ = ()


def xlsx(sheets: Mapping[str, Sequence[Sequence[Cell]]], *, hidden: Sequence[str] = ()) -> bytes:
    """Makes an .xlsx file; a row without cells is left out, so that the next keeps its number."""
    names = list(sheets)
    entries = "".join(
        f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"'
        f"{_HIDDEN if name in hidden else ''}/>"
        for number, name in enumerate(names, start=1)
    )
    targets = "".join(
        f'<Relationship Id="rId{number}" Type="{_RELATIONS}/worksheet" '
        f'Target="worksheets/sheet{number}.xml"/>'
        for number in range(1, len(names) + 1)
    )
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        for number in range(1, len(names) + 1)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        f"{types}</Types>",
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{entries}</sheets>'
        "</workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{targets}'
        f'<Relationship Id="rId0" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": _STYLES,
    }
    for number, name in enumerate(names, start=1):
        parts[f"xl/worksheets/sheet{number}.xml"] = _sheet(sheets[name])
    return archive(parts)


def far_apart() -> bytes:
    """Makes a small .xlsx file with a cell in the first and one in the last place of a sheet."""
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    content = xlsx({"Stock": [["sku"]]})
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        parts = {name: file.read(name).decode() for name in file.namelist()}
    parts["xl/worksheets/sheet1.xml"] = _of_rows(cells)
    return archive(parts)


def ods(sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> bytes:
    """Makes an .ods file."""
    tables = "".join(
        f'<table:table table:name="{escape(name)}">'
        + "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
        + "</table:table>"
        for name, rows in sheets.items()
    )
    return archive(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{_ODS}:manifest:1.0">'
            '<manifest:file-entry manifest:full-path="/" '
            'manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/></manifest:manifest>',
            "content.xml": f'<office:document-content xmlns:office="{_ODS}:office:1.0" '
            f'xmlns:table="{_ODS}:table:1.0" xmlns:text="{_ODS}:text:1.0"><office:body><office:spreadsheet>'
            f"{tables}</office:spreadsheet></office:body></office:document-content>",
        }
    )


def archive(parts: Mapping[str, str]) -> bytes:
    """Makes a zip archive of texts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in parts.items():
            packed.writestr(name, text)
    return file.getvalue()


def _sheet(rows: Sequence[Sequence[Cell]]) -> str:
    written = [
        (number, "".join(_xlsx_cell(cell, place, number) for place, cell in enumerate(row)))
        for number, row in enumerate(rows, start=1)
        if row
    ]
    return _of_rows("".join(f'<row r="{number}">{cells}</row>' for number, cells in written))


def _of_rows(rows: str) -> str:
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'


def _xlsx_cell(cell: Cell, place: int, row: int) -> str:
    at = f'r="{chr(ord("A") + place)}{row}"'
    match cell:
        case None:
            return ""
        case bool():
            return f'<c {at} t="b"><v>{int(cell)}</v></c>'
        case Error():
            return f'<c {at} t="e"><v>{cell}</v></c>'
        case str():
            return f'<c {at} t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
        case date():
            return f'<c {at} s="1"><v>{_serial(cell)!r}</v></c>'
        case _:
            return f"<c {at}><v>{cell!r}</v></c>"


def _serial(day: date) -> float:
    moment = day if isinstance(day, datetime) else datetime.combine(day, datetime.min.time())
    return (moment - _DAY_ZERO) / timedelta(days=1)


def _ods_cell(cell: Cell) -> str:
    match cell:
        case None:
            return "<table:table-cell/>"
        case bool():
            kind = f'boolean" office:boolean-value="{str(cell).lower()}'
        case str():
            kind = "string"
        case date():
            kind = f'date" office:date-value="{cell.isoformat()}'
        case _:
            kind = f'float" office:value="{cell!r}'
    text = f"<text:p>{escape(str(cell))}</text:p>"
    return f'<table:table-cell office:value-type="{kind}">{text}</table:table-cell>'
