"""Translates constraint violations into `Conflict` errors."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from flexiprice.db.sqlstate import FOREIGN_KEY_VIOLATION, UNIQUE_VIOLATION, sqlstate_of
from flexiprice.errors import Conflict


@contextmanager
def unique_violation_as(message: str) -> Generator[None]:
    """Raises a unique violation within the block as `Conflict`.

    The transaction has failed then: the caller must roll it back.
    """
    with _conflict(UNIQUE_VIOLATION, message):
        yield


@contextmanager
def fk_violation_as(message: str) -> Generator[None]:
    """Raises a foreign key violation within the block as `Conflict`.

    The transaction has failed then: the caller must roll it back.
    """
    with _conflict(FOREIGN_KEY_VIOLATION, message):
        yield


@contextmanager
def _conflict(sqlstate: str, message: str) -> Generator[None]:
    try:
        yield
    except IntegrityError as error:
        if sqlstate_of(error.orig) == sqlstate:
            raise Conflict(message) from error
        raise
