"""Reads instants of ISO 8601. One that is ambiguous is refused, never guessed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flexiprice.catalog.imports.notation.cells import CellRefused, shown
from flexiprice.catalog.imports.notation.typed_cells import DateText
from flexiprice.catalog.imports.spelling import Option


def read_instant(
    cell: str, zone: ZoneInfo, *, local_times: bool, hint: tuple[str | Option, ...] = ()
) -> datetime:
    """Reads an instant of ISO 8601, in UTC.

    Args:
        cell: the text.
        zone: time zone of the store.
        local_times: whether a time without an offset is local to the store.
        hint: the end of the error for a time without an offset.

    Raises:
        CellRefused: it is none, or it may be two instants, or it has no offset and is not local.
    """
    text = cell.strip()
    try:
        instant = cell.moment if isinstance(cell, DateText) else datetime.fromisoformat(text)
    except ValueError:
        raise CellRefused(f"{shown(text)} is not an instant such as 2026-03-31T18:05:00+02:00") from None
    if instant.tzinfo is not None:
        return instant.astimezone(UTC)
    if len(text) <= len("2026-03-31"):
        raise CellRefused(f"{shown(text)} has no time of day: an instant is needed")
    if not local_times:
        raise CellRefused(
            f"{shown(text)} has no offset from UTC: write it as {instant.isoformat()}+02:00", *hint
        )
    first, second = (instant.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first != second:
        raise CellRefused(
            f"{shown(text)} is twice or never on the clock of {zone.key}: add the offset from UTC"
        )
    return first
