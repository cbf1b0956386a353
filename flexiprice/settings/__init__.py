"""The configuration, read from `FLEXIPRICE_*` variables and from files.

Later sources win: `.flexiprice/up.env` (written by a running `flexiprice up`, so that other commands find
its servers), then `.env`, then the environment.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from flexiprice.domain.validation_reasons import reason_of
from flexiprice.errors import InvalidSettings
from flexiprice.settings.access import AccessSettings
from flexiprice.settings.database import DatabaseSettings
from flexiprice.settings.imports import ImportSettings
from flexiprice.settings.logs import LogFormat, LogSettings
from flexiprice.settings.prices import PriceSettings
from flexiprice.settings.queues import Queue, QueueSettings
from flexiprice.settings.schedules import ScheduleSettings
from flexiprice.settings.secret_files import SUFFIX, read_secret_files
from flexiprice.settings.values import PREFIX

UP_ENV_FILE = Path(".flexiprice/up.env")
ENV_FILES: tuple[Path, ...] = (UP_ENV_FILE, Path(".env"))


# Pydantic takes the fields of the last base first; the manual shows them in this order.
class Settings(
    LogSettings,
    DatabaseSettings,
    PriceSettings,
    ImportSettings,
    QueueSettings,
    ScheduleSettings,
    AccessSettings,
):
    """Every setting, its default and its meaning; the manual's tables are made from this class."""


SECRETS: Final = ("database_url", "redis_url", "api_key", "monitor_read_key", "metrics_key")
"""Settings that are never shown; a file may contain each: `FLEXIPRICE_API_KEY_FILE`."""


def load_settings(env_files: Sequence[Path] = ENV_FILES, **overrides: object) -> Settings:
    """Reads the settings, once per program.

    Args:
        env_files: files of `NAME=value` lines; later ones win, missing ones are skipped.
        **overrides: values by field name, which win over every source.

    Raises:
        InvalidSettings: a value cannot be used; the message names every setting at fault.
    """
    secrets = {f"{PREFIX}{name.upper()}": name for name in SECRETS}
    from_files = read_secret_files(secrets, env_files)
    given: dict[str, object] = {secrets[variable]: value for variable, value in from_files.items()}
    given |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(_env_file=tuple(env_files), **given)  # type: ignore[arg-type, call-arg]
    except ValidationError as error:
        faults = [
            f"{PREFIX}{str(fault['loc'][0]).upper() if fault['loc'] else ''}: {reason_of(fault)}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise InvalidSettings("; ".join(faults)) from None


def unknown_variables() -> list[str]:
    """Lists `FLEXIPRICE_*` variables of the environment that are no settings, such as misspelt ones."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{PREFIX}{name.upper()}{SUFFIX}" for name in SECRETS}
    return sorted(
        name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known
    )


__all__ = [
    "ENV_FILES",
    "PREFIX",
    "SECRETS",
    "UP_ENV_FILE",
    "LogFormat",
    "Queue",
    "Settings",
    "load_settings",
    "unknown_variables",
]
