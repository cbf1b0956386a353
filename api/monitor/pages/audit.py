"""The audit page: changes and refusals, with actor, interface and outcome."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from nicegui import ui
from pydantic import TypeAdapter

from api.monitor.components.badges import Badge
from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.instants import Instant
from api.monitor.components.links import Form, Link
from api.monitor.components.table_frame import MANY, TableFrame, cell, text_cell
from api.monitor.components.text import Text
from api.monitor.context import current_monitor
from api.monitor.layout import page
from flexiprice.access.audit_log import AuditLogEntry, list_audit
from flexiprice.db.engine import database_errors
from flexiprice.domain.audit import AuditOutcome, AuditSource
from flexiprice.errors import FlexiPriceError

_PAGE: Final = 50
_READ_EVERY_SECONDS: Final = 2.0
_COLUMNS: Final = ("When", "Who", "From", "What", "Outcome")
# Labels by query parameter.
_FILTERS: Final = {
    "who": "Who",
    "what": "Action",
    "to": "Target",
    "from": "From",
    "outcome": "Outcome",
    "since": "Since (UTC)",
    "until": "Until (UTC)",
}
_EXAMPLES: Final = {
    "what": "change product",
    "to": "a part of its name",
    "from": "10.4.0.17",
    "since": "2026-03-31",
    "until": "2026-03-31T09:00",
}
_SOURCE_NAMES: Final = {
    AuditSource.API: "API",
    AuditSource.CLI: "command line",
    AuditSource.MONITOR: "monitor",
    AuditSource.FOLDER: "import directory",
}
_INSTANT: Final = TypeAdapter[datetime](datetime)
_INVALID: Final = (
    "is invalid: outcomes are done, refused and failed; an instant is 2026-03-31 or 2026-03-31T09:00"
)


@page("/audit", "Audit")
async def audit(
    who: str = "",
    what: str = "",
    to: str = "",
    outcome: str = "",
    since: str = "",
    until: str = "",
    shown: int = _PAGE,
) -> None:
    """Shows the latest audit entries, and new ones as they are recorded."""
    address = ui.context.client.request.query_params.get("from", "")
    filters = dict(zip(_FILTERS, (who, what, to, address, outcome, since, until), strict=True))
    wanted, invalid = _parse_filters(filters)
    shown = max(_PAGE, min(shown, 500))
    failure = Failure()
    with ui.element("section").classes("card"):
        with Form("/audit", classes="filters"):
            for name, label in _FILTERS.items():
                if name == "outcome":
                    _outcome_field(filters[name])
                else:
                    _field(name, label, filters[name])
            Text("button", "Filter", classes="plain-button").props("type=submit")
            if any(filters.values()):
                Link("/audit", "Show all")
        frame = TableFrame("Changes", folded_to=MANY).classes("audit")
    latest_shown: list[int] = [-1]
    sessions = current_monitor().resources.sessions

    async def read() -> Sequence[AuditLogEntry]:
        with database_errors():
            async with sessions() as session:
                return await list_audit(session, **wanted, limit=shown + 1)

    async def refresh() -> None:
        if invalid:
            failure.show(f"{', '.join(invalid)} {_INVALID}")
            return
        try:
            key = ("audit", *filters.values(), shown)
            entries = await current_monitor().live.cached(key, read, max_age=_READ_EVERY_SECONDS)
        except FlexiPriceError as error:
            failure.show(error.message)
            return
        failure.show(None)
        latest = entries[0].entry_id if entries else 0
        if latest != latest_shown[0]:
            latest_shown[0] = latest
            _show(frame, entries, filters, shown)

    await refresh()
    ui.timer(_READ_EVERY_SECONDS, refresh, immediate=False)


def _show(frame: TableFrame, entries: Sequence[AuditLogEntry], filters: dict[str, str], shown: int) -> None:
    if not entries:
        frame.clear()
        with frame:
            Placeholder(
                "No entry yet" if not any(filters.values()) else "No entry matches the filter",
                "Changes through the monitor, the API and the command line are recorded here.",
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


def _row(entry: AuditLogEntry) -> None:
    words = entry.words
    with ui.element("tr"):
        with cell("When", "nowrap"):
            Instant(entry.at)
        text_cell("Who", "breakable").text = words.who
        with cell("From", "breakable"):
            Text("span", _SOURCE_NAMES[entry.source], classes="nowrap")
            Text("div", entry.address or "", classes="small quiet")
        with cell("What", "breakable"):
            Text("div", words.subject, classes="strong")
            for fact in words.facts:
                with ui.element("div").classes("fact"):
                    Text("span", f"{fact.name} ", classes="quiet")
                    Text("span", fact.value)
            if words.reason:
                Text("div", words.reason)
            if words.further:
                with ui.element("details").classes("small quiet"):
                    Text("summary", "Details")
                    for fact in words.further:
                        Text("div", f"{fact.name}: {fact.value}")
        with cell("Outcome", "nowrap"):
            Badge(entry.outcome)


def _parse_filters(filters: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Returns the query of the audit log, and the labels of the fields that are invalid."""
    wanted: dict[str, Any] = {
        "actor": filters["who"] or None,
        "action": filters["what"].strip().replace(" ", "_") or None,
        "target": filters["to"] or None,
        "address": filters["from"] or None,
    }
    invalid: list[str] = []
    for name, read in {"outcome": AuditOutcome, "since": _instant, "until": _instant}.items():
        if text := filters[name].strip():
            try:
                wanted[name] = read(text)
            except ValueError:
                invalid.append(_FILTERS[name])
    return wanted, invalid


def _instant(text: str) -> datetime:
    instant = _INSTANT.validate_python(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _field(name: str, label: str, value: str) -> None:
    with ui.element("label").classes("field"):
        Text("span", label)
        field = ui.element("input").props(f"name={name} autocomplete=off maxlength=500")
        # As an attribute: an update of a property would overwrite the user's input.
        field.props["^value"] = value
        if name in _EXAMPLES:
            field.props["placeholder"] = _EXAMPLES[name]


def _outcome_field(chosen: str) -> None:
    with ui.element("label").classes("field"):
        Text("span", "Outcome")
        with ui.element("select").props("name=outcome"):
            for value, text in {"": "any", **{one.value: one.value for one in AuditOutcome}}.items():
                option = Text("option", text)
                option.props["value"] = value
                if value == chosen:
                    option.props["selected"] = True
