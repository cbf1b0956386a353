"""Makes an application for the server that serves it, from the settings of the environment."""

from collections.abc import Callable

from fastapi import FastAPI

from flexiprice.errors import InvalidSettings
from flexiprice.log_config import configure_logging
from flexiprice.resources import require_usable_redis
from flexiprice.settings import Settings, load_settings


def app_for_server(program: str, create: Callable[[Settings], FastAPI]) -> FastAPI:
    """Makes an application, and sets up logging.

    Args:
        program: name of the program, for its connections and its errors.
        create: makes the application with the settings.

    Raises:
        SystemExit: the settings or Redis cannot be used; one line says why, instead of a traceback through
            the server.
    """
    try:
        settings = load_settings()
        app = create(settings)
        require_usable_redis(settings, program=program)
    except InvalidSettings as error:
        raise SystemExit(f"{program}: {error.message}") from None
    configure_logging(settings)
    return app
