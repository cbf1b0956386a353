"""`flexiprice up`: runs all servers and programs on this machine until Ctrl-C."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

import typer
from rich.console import Console

from flexiprice.cli.access.local_key import with_local_key
from flexiprice.cli.access.operator import cli_source
from flexiprice.cli.access.sessions import sign_in_address
from flexiprice.cli.broker import with_jobs
from flexiprice.cli.catalog.sample import load_sample
from flexiprice.cli.serve.log_tail import FollowedLog
from flexiprice.cli.serve.monitor import DEFAULT_PORT, monitor_is_installed
from flexiprice.cli.serve.process_group import (
    RunningPrograms,
    ended_by_signals,
    require_free_port,
    running_programs,
)
from flexiprice.cli.terminal import TerminalConsole
from flexiprice.db.migrate import upgrade
from flexiprice.embedded.child_process import ServerProcess
from flexiprice.embedded.servers import ServerUrls, embedded_servers
from flexiprice.queue.broker import JobBroker
from flexiprice.queue.client import EnqueuedJob
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS
from flexiprice.settings import PREFIX, UP_ENV_FILE, LogFormat, Settings, load_settings

_DATA_DIR = UP_ENV_FILE.parent
# Without up.env, which a killed `up` may have left behind.
_ENV_FILES = (Path(".env"),)
_LOOK_AGAIN_SECONDS = 0.1


def up(
    *,
    host: Annotated[str, typer.Option(help="Address for the API to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port for the API to listen on.")] = 8000,
    monitor_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port for the monitor to listen on; 0 for no monitor.")
    ] = DEFAULT_PORT,
    sample: Annotated[bool, typer.Option("--sample", help="Load the sample catalogue and price it.")] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Show everything that the programs log, not only warnings and errors."
        ),
    ] = False,
) -> None:
    """Serve the API, a worker and the monitor on this machine until Ctrl-C.

    Starts embedded PostgreSQL and Valkey where `FLEXIPRICE_DATABASE_URL` and `FLEXIPRICE_REDIS_URL` are not
    set. Their data stays in `.flexiprice/`, where other commands in the same folder find the servers. Where
    `FLEXIPRICE_API_KEY` is not set, creates a key in `.flexiprice/api-key`.
    """
    console = TerminalConsole()
    settings = given = load_settings(env_files=_ENV_FILES)
    require_free_port(host, port)
    with_monitor = bool(monitor_port) and monitor_is_installed()
    if with_monitor:
        require_free_port(host, monitor_port, option="--monitor-port")
    with ended_by_signals(), ExitStack() as stack:
        try:
            with console.status("Starting …"):
                servers = _start_servers(stack, settings)
                configured = load_settings(
                    env_files=_ENV_FILES, database_url=servers.database_url, redis_url=servers.redis_url
                )
                settings, key_file = with_local_key(configured, _DATA_DIR)
                _write_up_env(stack, given=given, complete=settings)
                if sample:
                    asyncio.run(load_sample(settings))
                programs = stack.enter_context(
                    running_programs(
                        settings,
                        host=host,
                        port=port,
                        folder=Path.cwd(),
                        logs=_DATA_DIR / "log",
                        environment=_readable_logs(settings),
                        monitor_port=monitor_port if with_monitor else None,
                    )
                )
                programs.wait_until_ready(servers=servers.processes)
                if sample:
                    with_jobs(settings, _recompute)
            _show_where_everything_is(
                console,
                settings,
                servers,
                programs,
                key_file,
                asked_for_monitor=bool(monitor_port),
                verbose=verbose,
            )
            logs = zip(("api    ", "worker ", "monitor"), programs.processes, strict=False)
            _follow(
                console,
                [*programs.processes, *servers.processes],
                [FollowedLog(name, process.log, everything=verbose) for name, process in logs],
            )
        except KeyboardInterrupt:
            console.print("Stopping …", style="dim")
    console.print("Stopped.", style="dim")


def _start_servers(stack: ExitStack, settings: Settings) -> ServerUrls:
    database_url, redis_url = settings.database_url, settings.redis_url
    servers = stack.enter_context(
        embedded_servers(
            _DATA_DIR,
            durable=True,
            database_url=database_url.get_secret_value() if database_url else None,
            redis_url=redis_url.get_secret_value() if redis_url else None,
        )
    )
    upgrade(servers.database_url)
    return servers


def _write_up_env(stack: ExitStack, *, given: Settings, complete: Settings) -> None:
    # Only the settings that other commands would not read from their own sources.
    made = {
        name: value.get_secret_value()
        for name in ("database_url", "redis_url", "api_key")
        if getattr(given, name) is None and (value := getattr(complete, name)) is not None
    }
    if made:
        UP_ENV_FILE.unlink(missing_ok=True)
        UP_ENV_FILE.touch(mode=0o600)
        UP_ENV_FILE.write_text("".join(f"{PREFIX}{name.upper()}={value}\n" for name, value in made.items()))
        stack.callback(UP_ENV_FILE.unlink, missing_ok=True)


def _readable_logs(settings: Settings) -> dict[str, str]:
    # People read the logs here, although they pass through files.
    if settings.log_format is LogFormat.AUTO:
        return {**os.environ, f"{PREFIX}LOG_FORMAT": LogFormat.CONSOLE}
    return dict(os.environ)


async def _recompute(broker: JobBroker) -> EnqueuedJob:
    return await broker.tasks.enqueue(RECOMPUTE_ALL_DISCOUNTS, source=cli_source())


def _show_where_everything_is(
    console: Console,
    settings: Settings,
    servers: ServerUrls,
    programs: RunningPrograms,
    key_file: Path | None,
    *,
    asked_for_monitor: bool,
    verbose: bool,
) -> None:
    address = f"{programs.address}{settings.url_prefix}"
    embedded = {process.name for process in servers.processes}
    mine = f" · embedded, data in {_DATA_DIR}/"
    places = {
        "API": f"{address} · described at {address}/docs",
        "Key": f"in {key_file}" if key_file else f"{PREFIX}API_KEY, as it is set",
        **({"Monitor": _monitor_place(programs, settings)} if asked_for_monitor else {}),
        "Worker": f"queues {', '.join(settings.worker_queues)}",
        "PostgreSQL": _place(servers.database_url) + (mine if "PostgreSQL" in embedded else ""),
        "Redis": _place(servers.redis_url) + (mine if "Valkey" in embedded else ""),
        "Logs": f"{_DATA_DIR}/log/{'' if verbose else '; warnings and errors below too'}",
    }
    console.print("FlexiPrice is up.", style="bold green")
    for name, place in places.items():
        console.print(f"  {name:<11} {place}", soft_wrap=True, highlight=False)
    console.print("Next, in another terminal in this folder:")
    for suggestion in ("prices", "recompute --wait", "doctor", "--help"):
        console.print(f"  {_own_name()} {suggestion}", style="cyan", highlight=False, soft_wrap=True)
    console.print("Ctrl-C stops everything and keeps the data.", style="dim")


def _monitor_place(programs: RunningPrograms, settings: Settings) -> str:
    if not programs.monitor:
        return "not installed: pip install 'flexiprice[monitor]'"
    # Valid once: a copy in a log or a browser's history is useless.
    return f"{sign_in_address(settings, programs.monitor_address)} · signs you in, once"


def _own_name() -> str:
    called = Path(sys.argv[0])
    if called.name != "flexiprice" or shutil.which("flexiprice"):
        return "flexiprice"
    return os.path.relpath(called)


def _follow(console: Console, processes: Sequence[ServerProcess], logs: Sequence[FollowedLog]) -> NoReturn:
    while True:
        for log in logs:
            log.show(console)
        for process in processes:
            process.require_alive()
        time.sleep(_LOOK_AGAIN_SECONDS)


def _place(url: str) -> str:
    """Removes the user name and password from a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
