"""Records one scan after the other for `flexiprice scan`, over connections that stay open."""

import asyncio
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from flexiprice.access.audit_context import record_refused
from flexiprice.access.audit_log import record_audit
from flexiprice.catalog.scans import RecordedScan, ScanMode, record_scan
from flexiprice.catalog.stores import get_store
from flexiprice.cli.access.audit import cli_event
from flexiprice.cli.access.operator import cli_source
from flexiprice.cli.broker import PROGRAM
from flexiprice.cli.console import escaped, stderr
from flexiprice.cli.terminal import printable
from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.errors import Conflict, FlexiPriceError, InvalidInput, NotFound, RedisUnavailable
from flexiprice.queue.broker import JobBroker, open_job_broker
from flexiprice.queue.client import EnqueuedJob
from flexiprice.queue.declarations import RECOMPUTE_BATCHES
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.resources import Database, open_database
from flexiprice.settings import Settings

_ACTION: Final = "record_scan"


@dataclass(frozen=True, slots=True)
class ScanOrder:
    """The change that each scan makes; `quantity` None adds the one in the code."""

    store: str
    quantity: Decimal | None
    mode: ScanMode


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """A recorded scan with the job that reprices it, or the error that refused the scan."""

    recorded: RecordedScan | None = None
    job: EnqueuedJob | None = None
    error: FlexiPriceError | None = None


class ScanStation:
    """Records scans until it is closed."""

    def __init__(self, settings: Settings, order: ScanOrder) -> None:
        """Takes the servers' URLs and the change that each scan makes."""
        self._settings = settings
        self._order = order
        self._open = AsyncExitStack()
        self._database: Database | None = None
        self._broker: JobBroker | None = None

    async def open(self) -> None:
        """Opens the connections.

        Raises:
            InvalidSettings: no database is configured.
            DatabaseUnavailable: it does not answer.
            NotFound: the store does not exist.
        """
        self._database = await self._open.enter_async_context(open_database(self._settings, program=PROGRAM))
        if self._settings.redis_url is not None:
            self._broker = await self._open.enter_async_context(
                open_job_broker(self._settings, program=PROGRAM)
            )
        with database_errors():
            async with self._database.sessions() as session:
                await get_store(session, self._order.store)

    async def close(self) -> None:
        """Closes the connections."""
        await self._open.aclose()

    async def record(self, code: str) -> ScanOutcome:
        """Records a scan in a transaction of its own; a scan that is refused is written to the audit log.

        Raises:
            DatabaseUnavailable: PostgreSQL does not answer.
        """
        if self._database is None:
            raise RuntimeError("the station is not open")
        order = self._order
        try:
            with database_errors():
                async with self._database.sessions.begin() as session:
                    now = await database_now(session)
                    recorded = await record_scan(
                        session, code, store=order.store, quantity=order.quantity, mode=order.mode, now=now
                    )
                    await record_audit(session, [cli_event(_ACTION)])
        except (InvalidInput, NotFound, Conflict) as error:
            await record_refused(self._database.sessions, cli_event(_ACTION, printable(code)), error)
            return ScanOutcome(error=error)
        return ScanOutcome(recorded, await self._reprice(recorded.batch.batch_id))

    async def _reprice(self, batch_id: int) -> EnqueuedJob | None:
        if self._broker is None:
            return None
        try:
            with redis_errors():
                return await self._broker.tasks.enqueue(
                    RECOMPUTE_BATCHES, arguments={"batch_ids": [batch_id]}, source=cli_source()
                )
        except RedisUnavailable as error:
            # The next scans do not wait for it again.
            self._broker = None
            stderr().print(
                f"[yellow]Not repriced yet:[/] {escaped(error.message)}",
                "The next scheduled recompute applies these scans.",
            )
            return None


@contextmanager
def scan_station(settings: Settings, order: ScanOrder) -> Generator["RunningStation"]:
    """Opens a station, and closes it in the end.

    Raises:
        InvalidSettings: no database is configured.
        DatabaseUnavailable: it does not answer.
        NotFound: the store does not exist.
    """
    station = ScanStation(settings, order)
    # A loop that runs only while a scan is recorded: Ctrl-C ends the wait for the next code at once.
    with asyncio.Runner() as runner:
        try:
            runner.run(station.open())
            yield RunningStation(station, runner)
        finally:
            runner.run(station.close())


@dataclass(frozen=True, slots=True)
class RunningStation:
    """An open station, for callers without an event loop."""

    station: ScanStation
    runner: asyncio.Runner

    def record(self, code: str) -> ScanOutcome:
        """Records a scan, see `ScanStation.record`."""
        return self.runner.run(self.station.record(code))
