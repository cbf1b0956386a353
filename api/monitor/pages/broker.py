"""The page of Redis and PostgreSQL: sizes, load, and risky settings."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from nicegui import ui

from api.monitor.components.empty_states import Failure
from api.monitor.components.instants import Instant
from api.monitor.components.links import Link, add_style_sheet
from api.monitor.components.table_frame import TableFrame, card_title, cell, number_cell, text_cell
from api.monitor.components.text import Text
from api.monitor.context import current_monitor
from api.monitor.format import count, duration, percent, size, things
from api.monitor.layout import page
from api.monitor.queries.table_groups import TableGroup, group_by_parent
from api.monitor.timeouts import with_timeout
from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors, pool_use
from flexiprice.db.sizes import DatabaseSize, ProgramConnections, TableSize, get_database_size
from flexiprice.errors import FlexiPriceError
from flexiprice.queue.admin.broker_info import BrokerInfo, BrokerRisk, read_broker_info
from flexiprice.queue.admin.queues import QueueState
from flexiprice.resources import Resources

_REFRESH_SECONDS: Final = 2.0
_BROKER_MAX_AGE: Final = 1.5
_DATABASE_MAX_AGE: Final = 10.0
_RISKS: Final = {
    BrokerRisk.EVICTS: (
        "It evicts keys when memory is short, including jobs: set maxmemory-policy to noeviction."
    ),
    BrokerRisk.FORGETS: (
        "A crash loses waiting jobs, because its append-only file is off: set appendonly to yes."
    ),
    BrokerRisk.NEARLY_FULL: "It uses over 90% of its memory: raise maxmemory, or purge waiting jobs.",
}
_PROGRAM_COLUMNS: Final = (
    "Program",
    "Connections>",
    "Active>",
    "Idle in a transaction>",
    "Wait for a lock>",
    "Longest>",
)


@page("/broker", "Broker & database")
async def broker() -> None:
    """Shows Redis and PostgreSQL."""
    view = _BrokerView()
    await view.refresh()
    ui.timer(_REFRESH_SECONDS, view.refresh, immediate=False)


class _BrokerView:
    """One open page."""

    def __init__(self) -> None:
        self._shown: dict[str, object] = {}
        add_style_sheet("prices")
        with ui.element("div").classes("grid"):
            with ui.element("section").classes("card"):
                self._broker_name = card_title("Redis")
                self._broker_failure = Failure()
                self._risks = ui.element("div")
                self._broker = _FactList()
            with ui.element("section").classes("card"):
                card_title("Queues")
                self._queues = TableFrame("Queues")
            with ui.element("section").classes("card"):
                self._database_name = card_title("PostgreSQL")
                self._database_failure = Failure()
                self._database = _FactList()
        with ui.element("section").classes("card"):
            card_title("Connections to the database")
            self._programs = TableFrame("Connections to the database")
        with ui.element("section").classes("card"):
            card_title("Tables")
            self._tables = TableFrame("Tables")

    async def refresh(self) -> None:
        """Reads and shows Redis and PostgreSQL."""
        monitor = current_monitor()
        resources = monitor.resources
        try:
            info = await monitor.live.cached(
                ("broker",), lambda: with_timeout(read_broker_info(resources.redis)), max_age=_BROKER_MAX_AGE
            )
            self._broker_failure.show(None)
            self._show_broker(info)
        except FlexiPriceError as error:
            self._broker_failure.show(error.message)
        broker = monitor.live.latest.broker
        if broker is not None and self._has_changed("queues", broker.queues):
            self._show_queues(broker.queues)
        try:
            database = await monitor.live.cached(
                ("database",), lambda: with_timeout(_read_database(resources)), max_age=_DATABASE_MAX_AGE
            )
            self._database_failure.show(None)
            self._show_database(resources, database, now=monitor.live.now())
        except FlexiPriceError as error:
            self._database_failure.show(error.message)

    def _has_changed(self, name: str, value: object) -> bool:
        before = self._shown.get(name)
        self._shown[name] = value
        return before != value

    def _show_broker(self, info: BrokerInfo) -> None:
        self._broker_name.text = f"{info.product} {info.version}"
        if self._has_changed("risks", info.risks):
            self._risks.clear()
            with self._risks:
                for risk in info.risks:
                    # Red if jobs are lost without a crash.
                    grave = risk is BrokerRisk.EVICTS
                    with ui.element("div").classes("failure" if grave else "failure warning"):
                        ui.icon("error" if grave else "warning").props("aria-hidden=true")
                        Text("span", _RISKS[risk])
        limit = f" of {size(info.max_memory)}" if info.max_memory else ", without a limit"
        clients = f" of {count(info.max_clients)}" if info.max_clients else ""
        self._broker.show(
            {
                "Memory": f"{size(info.used_memory)}{limit}",
                "Peak": size(info.peak_memory),
                "When full": info.eviction_policy,
                "Clients": f"{count(info.clients)}{clients}",
                "Commands": f"{count(info.commands_per_second)} a second",
                "Keys": count(info.keys),
                "Role": info.role,
                "Append-only file": "on" if info.appends else "off",
                "Up": duration(info.uptime),
                "Answers in": duration(info.answered_in),
            }
        )

    def _show_queues(self, queues: Sequence[QueueState]) -> None:
        with self._queues.table(("Queue", "Waiting>", "Deferred>", "Running>"), stacking=False):
            for queue in queues:
                with ui.element("tr"):
                    with cell("Queue"):
                        Link(f"/queues#{queue.queue.value}", queue.queue.value)
                    number_cell("Waiting").text = count(queue.waiting)
                    number_cell("Deferred").text = count(queue.deferred)
                    number_cell("Running").text = count(queue.running)

    def _show_database(self, resources: Resources, database: DatabaseSize, *, now: datetime) -> None:
        self._database_name.text = f"PostgreSQL {database.version}"
        use = pool_use(resources.engine)
        missing = database.missing_partitions
        self._database.show(
            {
                "Database": database.name,
                "Size": size(database.total_bytes),
                "Partitions": f"{missing} missing: run flexiprice migrate" if missing else "created ahead",
                "Cache hits": "–" if database.memory_share is None else percent(database.memory_share),
                "Connections": f"{count(database.connections)} of {count(database.max_connections)}",
                "This monitor's pool": f"{use.in_use} in use, {use.idle} idle, {use.size} at most",
                "Up": duration(_whole_minutes(now - database.started_at)),
            }
        )
        if self._has_changed("tables", database.tables):
            self._show_tables(database.tables)
        if self._has_changed("programs", database.programs):
            self._show_programs(database.programs)

    def _show_programs(self, programs: Sequence[ProgramConnections]) -> None:
        with self._programs.table(_PROGRAM_COLUMNS):
            for program in programs:
                with ui.element("tr"):
                    text_cell("Program").text = program.program
                    number_cell("Connections").text = count(program.connections)
                    number_cell("Active").text = count(program.active)
                    number_cell("Idle in a transaction").text = count(program.idle_in_transaction)
                    number_cell("Wait for a lock").text = count(program.waiting)
                    number_cell("Longest").text = duration(program.longest_transaction)

    def _show_tables(self, tables: Sequence[TableSize]) -> None:
        with self._tables.table(("Table", "Rows, about>", "Size>", "Indexes>", "Dead rows>", "Vacuumed")):
            for group in group_by_parent(tables):
                _table_row(group)


class _FactList(ui.element):
    """A list of names and values."""

    def __init__(self) -> None:
        super().__init__("dl")
        self.classes("facts")
        self._values: dict[str, Text] = {}

    def show(self, facts: Mapping[str, str]) -> None:
        """Shows values by name; the names must be the same each time."""
        with self:
            for name, value in facts.items():
                if name not in self._values:
                    Text("dt", name)
                    self._values[name] = Text("dd")
                if self._values[name].text != value:
                    self._values[name].text = value


def _whole_minutes(length: timedelta) -> timedelta:
    # Changes less often, so that fewer updates are sent. The first minute is shown in seconds.
    minute = timedelta(minutes=1)
    return length if length < minute else length - length % minute


async def _read_database(resources: Resources) -> DatabaseSize:
    with database_errors():
        async with resources.sessions() as session:
            return await get_database_size(session, now=await database_now(session))


def _table_row(group: TableGroup) -> None:
    with ui.element("tr"):
        with cell("Table"):
            if group.is_partitioned:
                with ui.element("details"):
                    Text("summary", f"{group.name} ({things(len(group.parts), 'partition')})")
                    for part in group.parts:
                        Text(
                            "div",
                            f"{part.name}: {_rows_of(part)}, {size(part.total_bytes)}",
                            classes="quiet",
                        )
            else:
                Text("span", group.name)
        number_cell("Rows, about").text = "not counted yet" if group.rows is None else count(group.rows)
        number_cell("Size").text = size(sum(part.total_bytes for part in group.parts))
        number_cell("Indexes").text = size(sum(part.index_bytes for part in group.parts))
        number_cell("Dead rows").text = count(sum(part.dead_rows for part in group.parts))
        with cell("Vacuumed"):
            Instant(max((part.vacuumed_at for part in group.parts if part.vacuumed_at), default=None), "ago")


def _rows_of(part: TableSize) -> str:
    return "rows not counted yet" if part.rows is None else things(part.rows, "row")
