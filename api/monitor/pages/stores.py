"""The page of stores: their time zones and dates; adds stores."""

from collections.abc import Callable, Sequence
from typing import Final
from zoneinfo import available_timezones

from nicegui import ui
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from api.monitor.auth.user import Right
from api.monitor.components.actions import restricted
from api.monitor.components.database_change import change_database
from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.links import small_button
from api.monitor.components.live_table import LiveTable
from api.monitor.components.table_frame import MANY, number_cell, text_cell
from api.monitor.components.text import Text
from api.monitor.context import current_monitor
from api.monitor.format import count
from api.monitor.layout import page
from flexiprice.catalog.store_overview import StoreOverview, list_store_overviews
from flexiprice.catalog.stores import StoreRecord, create_store
from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.domain.catalog import StoreCode
from flexiprice.domain.validation_reasons import reason_of
from flexiprice.errors import FlexiPriceError

_READ_EVERY_SECONDS: Final = 5.0
_COLUMNS: Final = ("Store", "Time zone", "Today", "Batches>", "Discounts>")
_CODE: Final = TypeAdapter[str](StoreCode)


@page("/stores", "Stores")
async def stores() -> None:
    """Shows the stores, and adds one."""
    failure = Failure()
    monitor = current_monitor()

    async def read() -> Sequence[StoreOverview]:
        with database_errors():
            async with monitor.resources.sessions() as session:
                return await list_store_overviews(session, now=await database_now(session))

    async def refresh(max_age: float = _READ_EVERY_SECONDS) -> None:
        try:
            found = await monitor.live.cached("stores", read, max_age=max_age)
        except FlexiPriceError as error:
            failure.show(error.message)
            return
        failure.show(None)
        rows.show({store.code: store for store in found})

    async def add() -> None:
        try:
            chosen = _CODE.validate_python(str(code.value).strip())
        except ValidationError as error:
            ui.notify(
                f"Code: {reason_of(error.errors(include_url=False)[0])}", type="negative", multi_line=True
            )
            return
        time_zone = str(zone.value)

        async def make(session: AsyncSession) -> StoreRecord:
            return await create_store(session, code=chosen, time_zone=time_zone)

        created = await change_database(
            "create_store", chosen, make, lambda store: f"The store {store.code} is created"
        )
        if created is not None:
            code.value = ""
            await refresh(max_age=0)

    with ui.element("section").classes("card").props("aria-label='Stores'"):
        rows = LiveTable[StoreOverview]("Stores", _COLUMNS, _make_row, _empty, folded_to=MANY)
    with ui.element("section").classes("card").props("aria-label='Add a store'"):
        Text("h2", "Add a store")
        Text("p", "Stock can then be imported for it. Its dates are those of its time zone.", classes="quiet")
        with ui.element("div").classes("import-options"):
            code = ui.input("Code", placeholder="berlin-2").props(
                "outlined dense autocomplete=off maxlength=40"
            )
            zone = ui.select(sorted(available_timezones()), label="Time zone", value="UTC", with_input=True)
            zone.props("outlined dense")
            restricted(small_button("Add", "the store", add), Right.PRICE)
    await refresh()
    ui.timer(_READ_EVERY_SECONDS, refresh, immediate=False)


def _empty() -> ui.element:
    return Placeholder("No store", "The store main exists after the first migration.", icon="store")


def _make_row(listed: StoreOverview) -> Callable[[StoreOverview], None]:
    cells = {name: text_cell(name) for name in ("Store", "Time zone", "Today")}
    numbers = {name: number_cell(name) for name in ("Batches", "Discounts")}

    def show(store: StoreOverview) -> None:
        cells["Store"].text = store.code
        cells["Time zone"].text = store.time_zone
        cells["Today"].text = store.today.isoformat()
        numbers["Batches"].text = count(store.batches)
        numbers["Discounts"].text = count(store.discounts)

    show(listed)
    return show
