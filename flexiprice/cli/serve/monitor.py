"""`flexiprice monitor`: replaces this process by the web monitor."""

from importlib.util import find_spec
from typing import Annotated, Final

import typer

from flexiprice.cli.serve.api import SOURCES, LogLevelOption, exec_program, require_servers
from flexiprice.errors import MissingExtra
from flexiprice.settings import load_settings

DEFAULT_PORT: Final = 5555
MONITOR_SERVER: Final = (
    *("uvicorn", "api.monitor.main:app", "--app-dir", str(SOURCES)),
    *("--http", "api.security.http_protocol:BoundedHttpProtocol", "--no-server-header"),
    # The application itself trusts only the proxies that the settings name.
    "--no-proxy-headers",
)


def monitor(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = DEFAULT_PORT,
    log_level: LogLevelOption = None,
) -> None:
    """Serve the web monitor until it is stopped.

    Users sign in with `FLEXIPRICE_API_KEY` or a key from `flexiprice keys create`.
    `FLEXIPRICE_MONITOR_READ_KEY` gives read-only access.
    """
    settings = load_settings(log_level=log_level)
    require_servers(settings)
    if not monitor_is_installed():
        raise MissingExtra("the monitor is not installed: pip install 'flexiprice[monitor]'")
    exec_program(
        *MONITOR_SERVER,
        *("--host", host, "--port", str(port)),
        *("--log-level", settings.log_level.lower()),
        variables={"LOG_LEVEL": settings.log_level},
    )


def monitor_is_installed() -> bool:
    """Returns whether the extra `monitor` is installed."""
    return find_spec("nicegui") is not None
