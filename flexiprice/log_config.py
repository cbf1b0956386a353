"""Structured logging: one line per event, JSON outside a terminal, secrets redacted."""

import logging
import logging.config
import re
import sys
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

import structlog
from structlog.typing import Processor

from flexiprice.settings import LogFormat, Settings
from flexiprice.telemetry import HIDDEN, without_secrets

_SECRET_NAMES: Final = re.compile(r"passw|secret|api[_-]?key|authorization|token$|_url$|^dsn$", re.IGNORECASE)

# Library loggers whose INFO lines repeat FlexiPrice's own.
_QUIET: Final = ("alembic", "arq", "asyncio", "httpx", "sqlalchemy.engine", "uvicorn.access")
# Library loggers that have handlers of their own.
_WITH_HANDLERS: Final = ("uvicorn", "uvicorn.error")


def configure_logging(settings: Settings) -> None:
    """Configures structlog and the standard library's logging to write in one format."""
    logging.config.dictConfig(logging_config(settings))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logging_config(settings: Settings) -> dict[str, Any]:
    """Returns the configuration of the standard library's logging for `logging.config.dictConfig`.

    It is self-contained, for programs that configure logging themselves.
    """
    level = settings.log_level
    at_least_warning = max(level, "WARNING", key=_severity)
    levels = dict.fromkeys(_QUIET, at_least_warning) | dict.fromkeys(_WITH_HANDLERS, level)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "events": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _shared_processors(),
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_renderers(settings.log_format),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "events"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            name: {"level": minimum, "handlers": [], "propagate": True} for name, minimum in levels.items()
        },
    }


def _severity(level: str) -> int:
    return logging.getLevelNamesMapping()[level]


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _hide_secrets,
    ]


def _renderers(log_format: LogFormat) -> list[Processor]:
    on_terminal = sys.stderr.isatty()
    if log_format is LogFormat.CONSOLE or (log_format is LogFormat.AUTO and on_terminal):
        return [structlog.dev.ConsoleRenderer(colors=on_terminal)]
    return [structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer(default=str)]


def _hide_secrets(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        event[name] = _shown(name, value)
    return event


def _shown(name: str, value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case _ if _is_secret(name):
            return HIDDEN
        case str():
            return without_secrets(value)
        case dict():
            return {key: _shown(str(key), part) for key, part in cast("dict[object, object]", value).items()}
        case list() | tuple():
            return [_shown(name, part) for part in cast("Sequence[object]", value)]
        case _:
            return value


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None
