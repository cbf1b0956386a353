"""`flexiprice api` and `flexiprice worker`: the programs, which take this process's place."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

import flexiprice
from flexiprice.settings import PREFIX, Settings, load_settings

# uvicorn puts the current folder first on the path; an `api` there must not hide ours.
SOURCES = Path(flexiprice.__file__).parent.parent
API_SERVER: Final = (
    *("uvicorn", "api.main:app", "--app-dir", str(SOURCES)),
    *("--http", "api.security.http_protocol:BoundedHttpProtocol", "--no-server-header"),
    # The application believes the proxies that the settings name, and no others.
    "--no-proxy-headers",
)
# What stays is the supervisor alone, which loads nothing of what a worker needs.
SUPERVISED_WORKER: Final = (
    *(
        "flexiprice.cli.serve.supervisor",
        sys.executable,
        "-P",
        "-m",
        "arq",
        "workers.settings.WorkerSettings",
    ),
    # So that arq's own first lines are in our format too.
    *("--custom-log-dict", "workers.settings.LOGGING"),
)

LogLevelOption = Annotated[
    str | None,
    typer.Option(
        help="DEBUG, INFO, WARNING or ERROR. [default: FLEXIPRICE_LOG_LEVEL, INFO]", metavar="LEVEL"
    ),
]


def api(
    *,
    host: Annotated[str, typer.Option(help="Address on which it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on which it listens.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that serve side by side.")] = 1,
    log_level: LogLevelOption = None,
) -> None:
    """Serve the API until it is told to stop; as `uvicorn api.main:app`, with limits for headers too.

    Prices and health are open; everything else asks for a key: `FLEXIPRICE_API_KEY`, or one made by
    `flexiprice keys create`.
    """
    settings = load_settings(log_level=log_level)
    require_servers(settings)
    become(
        *API_SERVER,
        *("--host", host, "--port", str(port), "--workers", str(workers)),
        *("--log-level", settings.log_level.lower()),
        variables={"LOG_LEVEL": settings.log_level},
    )


def worker(
    context: typer.Context,
    *,
    queues: Annotated[
        str | None,
        typer.Option(
            help="Queues to consume, by comma: discounts, maintenance, analytics; it ticks only their "
            "schedules. [default: FLEXIPRICE_WORKER_QUEUES, all]",
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            help="Jobs that run at once, per queue. [default: FLEXIPRICE_WORKER_CONCURRENCY, 10]",
        ),
    ] = None,
    log_level: LogLevelOption = None,
) -> None:
    """Run a worker until it is told to stop; the same as `arq workers.settings.WorkerSettings`.

    One worker consumes all queues and ticks all schedules; any number may run side by side. A worker that
    has done its share is replaced by a fresh one; one that crashed is not, and its exit code is passed on.
    """
    if context.invoked_subcommand is not None:
        return
    settings = load_settings(worker_queues=queues, worker_concurrency=concurrency, log_level=log_level)
    require_servers(settings)
    become(
        *SUPERVISED_WORKER,
        variables={
            "WORKER_QUEUES": ",".join(settings.worker_queues),
            "WORKER_CONCURRENCY": str(settings.worker_concurrency),
            "LOG_LEVEL": settings.log_level,
        },
    )


def require_servers(settings: Settings) -> None:
    """Makes sure that the settings name both servers.

    Raises:
        InvalidSettings: one is missing.
    """
    settings.require_database_url()
    settings.require_redis_url()


def become(program: str, *arguments: str, variables: Mapping[str, str]) -> NoReturn:
    """Lets a module of Python take this process's place, with further settings in its environment."""
    environment = {**os.environ, **{f"{PREFIX}{name}": value for name, value in variables.items()}}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, "-P", "-m", program, *arguments], environment)  # noqa: S606
