"""The audit: who changed what, through which door."""

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from nicegui import ui

from api.monitor.monitor import current_monitor
from api.monitor.parts.instants import Instant
from api.monitor.parts.links import Form, Link
from api.monitor.parts.rows import cell, text_cell
from api.monitor.parts.states import Failure, Placeholder
from api.monitor.parts.tables import MANY, TableFrame
from api.monitor.parts.text import Text
from api.monitor.shell import page
from flexiprice.db.engine import database_errors
from flexiprice.errors import FlexiPriceError
from flexiprice.services.audit import RecordedChange, list_audit

_PAGE: Final = 50
_READ_EVERY_SECONDS: Final = 2.0
_COLUMNS: Final = ("When", "Who", "Through", "From", "What", "To", "Details")


@page("/audit", "Audit")
async def audit(who: str = "", what: str = "", to: str = "", shown: int = _PAGE) -> None:
    """Shows the latest changes that people made, and new ones as they are made."""
    filters = {"who": who, "what": what, "to": to}
    shown = max(_PAGE, min(shown, 500))
    failure = Failure()
    with ui.element("section").classes("card"):
        with Form("/audit", classes="filters"):
            for name, label in {"who": "Who", "what": "What", "to": "To"}.items():
                _field(name, label, filters[name])
            Text("button", "Filter", classes="plain-button").props("type=submit")
            if any(filters.values()):
                Link("/audit", "Show all")
        frame = TableFrame("Changes", folded_to=MANY)
    told: list[int] = [-1]
    sessions = current_monitor().resources.sessions

    async def read() -> Sequence[RecordedChange]:
        with database_errors():
            async with sessions() as session:
                return await list_audit(
                    session, actor=who or None, action=what or None, target=to or None, limit=shown + 1
                )

    async def refresh() -> None:
        try:
            key = ("audit", who, what, to, shown)
            entries = await current_monitor().live.shared(key, read, max_age=_READ_EVERY_SECONDS)
        except FlexiPriceError as error:
            failure.show(error.message)
            return
        failure.show(None)
        latest = entries[0].entry_id if entries else 0
        if latest != told[0]:
            told[0] = latest
            _show(frame, entries, filters, shown)

    await refresh()
    ui.timer(_READ_EVERY_SECONDS, refresh, immediate=False)


def _show(frame: TableFrame, entries: Sequence[RecordedChange], filters: dict[str, str], shown: int) -> None:
    if not entries:
        frame.clear()
        with frame:
            Placeholder(
                "Nothing was changed" if not any(filters.values()) else "No change meets the filter",
                "Whatever a person does here, through the API or by a command is written down.",
                icon="history",
            )
        return
    with frame.table(_COLUMNS):
        for entry in entries[:shown]:
            _row(entry)
    with frame:
        if len(entries) > shown and shown < 500:
            query = urlencode({name: value for name, value in filters.items() if value} | {"shown": 500})
            Link(f"/audit?{query}", "Show older entries", classes="more")


def _row(entry: RecordedChange) -> None:
    with ui.element("tr"):
        with cell("When", "nowrap"):
            Instant(entry.at)
        text_cell("Who").text = entry.actor
        text_cell("Through").text = entry.source.value
        text_cell("From", "quiet").text = entry.address or "–"
        text_cell("What", "strong nowrap").text = entry.action.replace("_", " ")
        text_cell("To", "breakable").text = entry.target or "–"
        details = ", ".join(f"{name}: {_plain(value)}" for name, value in entry.details.items())
        text_cell("Details", "quiet small breakable").text = details or "–"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _field(name: str, label: str, value: str) -> None:
    with ui.element("label").classes("field"):
        Text("span", label)
        field = ui.element("input").props(f"name={name} autocomplete=off maxlength=500")
        # As an attribute: as a property it would be set anew, over what is typed, with all that comes live.
        field.props["^value"] = value
