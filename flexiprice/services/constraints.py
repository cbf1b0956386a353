"""Turns a refusal by one of the database's constraints into an error of ours that says what it means."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from flexiprice.errors import Conflict

_UNIQUE_VIOLATION = "23505"
_FOREIGN_KEY_VIOLATION = "23503"


@contextmanager
def conflict_where_taken(message: str) -> Generator[None]:
    """What is written within must be unique; where it is not, that is a `Conflict`.

    The transaction has failed then: the caller can only roll it back.
    """
    with _conflict(_UNIQUE_VIOLATION, message):
        yield


@contextmanager
def conflict_where_needed(message: str) -> Generator[None]:
    """What is deleted within must not be referred to; where it is, that is a `Conflict`.

    The transaction has failed then: the caller can only roll it back.
    """
    with _conflict(_FOREIGN_KEY_VIOLATION, message):
        yield


@contextmanager
def _conflict(sqlstate: str, message: str) -> Generator[None]:
    try:
        yield
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) == sqlstate:
            raise Conflict(message) from error
        raise
