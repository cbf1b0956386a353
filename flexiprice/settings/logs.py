"""Settings of the logs."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from flexiprice.settings.group import SettingsGroup
from flexiprice.settings.values import upper


class LogFormat(StrEnum):
    """Formats of log lines; `auto` is `console` on a terminal and `json` elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(upper)]


class LogSettings(SettingsGroup):
    """Level and format of log lines."""

    log_level: LogLevel = Field(default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`")
    log_format: LogFormat = Field(default=LogFormat.AUTO, description="`auto`, `json` or `console`")
