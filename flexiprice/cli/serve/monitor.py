"""`flexiprice monitor`: the web monitor, which takes this process's place."""

from importlib.util import find_spec
from typing import Annotated, Final

import typer

from flexiprice.cli.serve.api import SOURCES, LogLevelOption, become, require_servers
from flexiprice.errors import MissingExtra
from flexiprice.settings import load_settings

DEFAULT_PORT: Final = 5555
MONITOR_SERVER: Final = (
    *("uvicorn", "api.monitor.main:app", "--app-dir", str(SOURCES)),
    *("--http", "api.security.http_protocol:BoundedHttpProtocol", "--no-server-header"),
    # The application believes the proxies that the settings name, and no others.
    "--no-proxy-headers",
)


def monitor(
    *,
    host: Annotated[str, typer.Option(help="Address on which it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on which it listens.")] = DEFAULT_PORT,
    log_level: LogLevelOption = None,
) -> None:
    """Serve the web monitor until it is told to stop.

    Whoever has `FLEXIPRICE_API_KEY`, or a key made by `flexiprice keys create`, logs in with it;
    `FLEXIPRICE_MONITOR_READ_KEY` lets look only.
    """
    settings = load_settings(log_level=log_level)
    require_servers(settings)
    if not monitor_is_installed():
        raise MissingExtra("the monitor is not installed: pip install 'flexiprice[monitor]'")
    become(
        *MONITOR_SERVER,
        *("--host", host, "--port", str(port)),
        *("--log-level", settings.log_level.lower()),
        variables={"LOG_LEVEL": settings.log_level},
    )


def monitor_is_installed() -> bool:
    """Whether the extra is there that the monitor is built on."""
    return find_spec("nicegui") is not None
