"""`flexiprice demo`: runs a recompute on temporary servers, and shows its result."""

import asyncio
import os
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import httpx
from rich.console import Console

from flexiprice.catalog.batch_identity import BatchIdentity
from flexiprice.cli.access.local_key import with_local_key
from flexiprice.cli.catalog.sample import load_sample
from flexiprice.cli.price_tables import PriceRow, price_table, reasons
from flexiprice.cli.serve.process_group import ended_by_signals, running_programs
from flexiprice.cli.terminal import TerminalConsole
from flexiprice.db.migrate import upgrade
from flexiprice.domain.quantity import Unit
from flexiprice.embedded.child_process import free_port
from flexiprice.embedded.servers import embedded_servers, scratch_folder
from flexiprice.errors import ServerFailed
from flexiprice.plurals import counted
from flexiprice.queue.declarations import UPDATE_PRICE_HISTORY
from flexiprice.queue.status import JobStatus
from flexiprice.resources import open_resources
from flexiprice.settings import PREFIX, Settings, load_settings

_LOOPBACK = "127.0.0.1"
_STEEPEST = 12
_TIMEOUT = timedelta(minutes=2)
_WAIT_SECONDS = 30


def demo() -> None:
    """Reprice a sample supermarket once, show the result, and leave nothing behind.

    Starts its own PostgreSQL and Valkey on free ports, whatever servers are configured, and the API and a
    worker. Triggers a recompute through the API, shows the largest discounts, records a price history, and
    stops everything.
    """
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    console = TerminalConsole()
    started = time.monotonic()
    with ended_by_signals(), ExitStack() as stack:
        _run(stack, console)
        with _step(console, "Stop everything"):
            stack.close()
    console.print(f"Done in {time.monotonic() - started:.1f} s. `make up` serves it on this machine.")


def _run(stack: ExitStack, console: Console) -> None:
    with _step(console, "Start PostgreSQL and Valkey"):
        folder = stack.enter_context(scratch_folder())
        servers = stack.enter_context(embedded_servers(folder, durable=False))
    # An empty folder, so that the programs read no `.env`.
    programs_folder = folder / "programs"
    programs_folder.mkdir()
    settings = load_settings(env_files=(), database_url=servers.database_url, redis_url=servers.redis_url)
    settings, _ = with_local_key(settings, folder)
    with _step(console, "Make the tables"):
        upgrade(servers.database_url)
    with _step(console, "Load the sample catalogue"):
        sample = asyncio.run(load_sample(settings))
    console.print(
        f"    {counted(sample.products, 'product')} in "
        f"{counted(sample.categories, 'category', plural='categories')}, {counted(sample.batches, 'batch')}",
        style="dim",
    )
    with _step(console, "Start the API and an arq worker"):
        programs = stack.enter_context(
            running_programs(
                settings,
                host=_LOOPBACK,
                port=free_port(programs_folder / "port"),
                folder=programs_folder,
                logs=programs_folder,
                environment=os.environ,
            )
        )
        programs.wait_until_ready(servers=servers.processes)
    with _step(console, "Trigger a recompute through the API and wait for the worker"):
        recomputed = _recompute(programs.http)
    _show(console, recomputed)
    _show_steepest(console, programs.http, settings.currency)
    with _step(console, "Record a price history"):
        recorded = asyncio.run(_record_price_history(settings))
    _show(console, recorded)


def _recompute(http: httpx.Client) -> Mapping[str, object]:
    task_id = _answer(http.post("/admin/discounts/trigger-recompute"))["task_id"]
    deadline = time.monotonic() + _TIMEOUT.total_seconds()
    while time.monotonic() < deadline:
        status = _answer(http.get(f"/admin/discounts/task-status/{task_id}", params={"wait": _WAIT_SECONDS}))
        if status["ready"]:
            return _result(str(status["status"]), status["result"], status["error"])
    raise ServerFailed(f"the recompute was not done within {_TIMEOUT}")


async def _record_price_history(settings: Settings) -> Mapping[str, object]:
    async with open_resources(settings, program="flexiprice-demo") as resources:
        job = await resources.tasks.enqueue(UPDATE_PRICE_HISTORY)
        status = await resources.tasks.wait(job.job_id, timeout=_TIMEOUT)
    return _result(status.status, status.result, status.error)


def _result(status: str, result: object, error: object) -> Mapping[str, object]:
    if status != JobStatus.SUCCEEDED or not isinstance(result, Mapping):
        raise ServerFailed(f"the task {status}: {error}")
    return cast("Mapping[str, object]", result)


def _answer(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise ServerFailed(f"the API answered {response.status_code}: {response.text}")
    return cast("dict[str, Any]", response.json())


def _show(console: Console, result: Mapping[str, object]) -> None:
    facts = ", ".join(_readable(name, value) for name, value in result.items() if value is not False)
    console.print(f"    {facts}", style="dim", highlight=False)


def _readable(name: str, value: object) -> str:
    if isinstance(value, float):
        return f"{name.removesuffix('_seconds')} {value:.3f} s"
    if isinstance(value, datetime):
        return f"{name.removesuffix('_at')} {value:%Y-%m-%d %H:%M} UTC"
    return f"{name} {value}"


def _show_steepest(console: Console, http: httpx.Client, currency: str) -> None:
    discounts = _answer(http.get("/admin/discounts", params={"order": "steepest", "limit": _STEEPEST}))[
        "items"
    ]
    if not discounts:
        raise ServerFailed("the recompute opened no discount")
    rows = [
        PriceRow(
            batch=BatchIdentity(
                batch_id=discount["batch_id"],
                store=discount["store"],
                sku=discount["sku"],
                product=discount["product"],
                category=discount["category"],
                lot=discount["lot"],
                expiry_date=date.fromisoformat(discount["expiry_date"]),
                days_to_expiry=discount["days_to_expiry"],
                quantity=Decimal(discount["quantity"]),
                unit=Unit(discount["unit"]),
            ),
            was=Decimal(discount["base_price"]),
            now=Decimal(discount["price"]),
            rate=Decimal(discount["rate"]),
            why=reasons(discount["rule"], discount["limits"]),
        )
        for discount in discounts
    ]
    console.print(price_table(rows, width=console.width, title=f"The steepest price cuts ({currency})"))


@contextmanager
def _step(console: Console, title: str) -> Generator[None]:
    started = time.monotonic()
    with console.status(f"{title} …"):
        yield
    console.print(f"[green]✓[/] {title} [dim]({time.monotonic() - started:.1f} s)[/]", highlight=False)
