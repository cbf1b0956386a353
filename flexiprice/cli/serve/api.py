"""`flexiprice api` and `flexiprice worker`: replace this process by the program."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

import flexiprice
from flexiprice.settings import PREFIX, Settings, load_settings

# uvicorn puts the current folder first on the path; a package `api` there must not hide FlexiPrice's.
SOURCES = Path(flexiprice.__file__).parent.parent
API_SERVER: Final = (
    *("uvicorn", "api.main:app", "--app-dir", str(SOURCES)),
    *("--http", "api.security.http_protocol:BoundedHttpProtocol", "--no-server-header"),
    # The application itself trusts only the proxies that the settings name.
    "--no-proxy-headers",
)
# The remaining process is the supervisor, which loads nothing that a worker needs.
SUPERVISED_WORKER: Final = (
    *(
        "flexiprice.cli.serve.supervisor",
        sys.executable,
        "-P",
        "-m",
        "arq",
        "workers.settings.WorkerSettings",
    ),
    # Formats arq's first log lines like all others.
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
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Number of processes that serve requests.")
    ] = 1,
    log_level: LogLevelOption = None,
) -> None:
    """Serve the API until it is stopped; like `uvicorn api.main:app`, with limits on headers.

    Prices and health are public. Everything else requires a key: `FLEXIPRICE_API_KEY`, or one from
    `flexiprice keys create`.
    """
    settings = load_settings(log_level=log_level)
    require_servers(settings)
    exec_program(
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
            help="Queues to consume, by comma: discounts, maintenance, analytics. The worker ticks "
            "only their schedules. [default: FLEXIPRICE_WORKER_QUEUES, all]",
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            help="Concurrent jobs per queue. [default: FLEXIPRICE_WORKER_CONCURRENCY, 10]",
        ),
    ] = None,
    log_level: LogLevelOption = None,
) -> None:
    """Run a worker until it is stopped; the same as `arq workers.settings.WorkerSettings`.

    One worker consumes all queues and ticks all schedules; any number may run side by side. A recycled
    worker is replaced by a new process. A worker that crashes is not; its exit code is passed on.
    """
    if context.invoked_subcommand is not None:
        return
    settings = load_settings(worker_queues=queues, worker_concurrency=concurrency, log_level=log_level)
    require_servers(settings)
    exec_program(
        *SUPERVISED_WORKER,
        variables={
            "WORKER_QUEUES": ",".join(settings.worker_queues),
            "WORKER_CONCURRENCY": str(settings.worker_concurrency),
            "LOG_LEVEL": settings.log_level,
        },
    )


def require_servers(settings: Settings) -> None:
    """Checks that the settings name both servers.

    Raises:
        InvalidSettings: a server's URL is missing.
    """
    settings.require_database_url()
    settings.require_redis_url()


def exec_program(program: str, *arguments: str, variables: Mapping[str, str]) -> NoReturn:
    """Replaces this process by a Python module, with further settings in its environment."""
    environment = {**os.environ, **{f"{PREFIX}{name}": value for name, value in variables.items()}}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, "-P", "-m", program, *arguments], environment)  # noqa: S606
