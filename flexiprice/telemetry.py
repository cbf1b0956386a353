"""Loggers, and the redaction of secrets in every text that is shown.

structlog is imported when the first line is logged: its import is a good part of a short command's start.
"""

import logging
import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

# User and password of a URL, between "://" and "@"; the password may contain unencoded characters.
_USER_INFO: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s'\"]*@", re.IGNORECASE)
_SECRET_OPTION: Final = re.compile(
    r"(?P<name>[?&](?:(?:sentinel_)?password|token)=)[^&\s'\"]*", re.IGNORECASE
)
# API keys of FlexiPrice have a recognisable form. Their id is not secret.
_API_KEY: Final = re.compile(r"\b(?P<id>fp_[0-9a-f]{12}_)[0-9a-f]{48}", re.ASCII)
HIDDEN: Final = "***"
"""Stands where a secret stood."""


def get_logger(name: str) -> "BoundLogger":
    """Returns a logger; its lines include values bound to the running task by `bind_contextvars`."""
    return cast("BoundLogger", _LazyLogger(name))


class _LazyLogger:
    """structlog's logger of a name, created when it is first used."""

    def __init__(self, name: str) -> None:
        self._name = name

    @cached_property
    def _logger(self) -> "BoundLogger":
        import structlog  # noqa: PLC0415 - see above

        for handler in logging.getLogger().handlers:
            if isinstance(handler, _ConfiguringHandler):
                handler.configure()
        logger: BoundLogger = structlog.stdlib.get_logger(self._name)
        return logger

    def __getattr__(self, attribute: str) -> object:
        return getattr(self._logger, attribute)


def configure_logging_when_used(configure: Callable[[], None]) -> None:
    """Configures logging when the first warning is logged, by us or by a library.

    Args:
        configure: called once; it must replace the handlers of the root logger.
    """
    logging.getLogger().handlers[:] = [_ConfiguringHandler(configure)]


class _ConfiguringHandler(logging.Handler):
    """Configures logging, and passes the record on to the handlers that are there then."""

    def __init__(self, configure: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self.configure = configure

    def emit(self, record: logging.LogRecord) -> None:
        self.configure()
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)


def without_secrets(text: str) -> str:
    """Redacts user and password of every URL, and the secret of every API key, in a text."""
    if "fp_" in text:
        text = _API_KEY.sub(rf"\g<id>{HIDDEN}", text)
    # Shortcut: most texts contain neither, and every log line has several.
    if "://" not in text and not any(name in text.casefold() for name in ("password=", "token=")):
        return text
    return _SECRET_OPTION.sub(rf"\g<name>{HIDDEN}", _USER_INFO.sub(rf"\g<scheme>{HIDDEN}@", text))
