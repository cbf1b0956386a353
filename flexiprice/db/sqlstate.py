"""PostgreSQL's error codes (SQLSTATE) and their meaning for FlexiPrice.

Workers, API, commands and monitor all use this table, so that a code has one meaning everywhere.
"""

from dataclasses import dataclass
from typing import Final

from flexiprice.errors import DatabaseBusy, DatabaseNotMigrated, DatabaseUnavailable

UNIQUE_VIOLATION: Final = "23505"
FOREIGN_KEY_VIOLATION: Final = "23503"
LOCK_NOT_AVAILABLE: Final = "55P03"
INVALID_PARAMETER_VALUE: Final = "22023"
INTERNAL_ERROR: Final = "XX000"
BAD_VALUE: Final = "22"
"""Class: a value that cannot be stored or used in a computation."""
CONSTRAINT_VIOLATION: Final = "23"
"""Class: a row that violates a constraint."""
LOGIN_REFUSED: Final = "28"
"""Class: the server refused the account, its password or, by `pg_hba.conf`, the client."""
POOLED_STATEMENT: Final = ("42P05", "26000")
"""A prepared statement that another client created, or that is missing: a pooler changed the session."""

WRITES_REFUSED: Final = ("25006", "53100", "53400", "58")
"""Codes that refuse writes; reads may still work."""


@dataclass(frozen=True, slots=True)
class NotNow:
    """A temporary refusal: the same call may succeed later, by itself or after an operator acts.

    Attributes:
        error: the class to raise.
        reason: the cause, as a sentence without its full stop.
        advice: the remedy.
    """

    error: type[DatabaseUnavailable]
    reason: str
    advice: str

    def raised(self, sqlstate: str) -> DatabaseUnavailable:
        """Returns the error to raise; its `details` have code, reason and advice."""
        reason = f"{self.reason} ({sqlstate})" if sqlstate else self.reason
        return self.error(f"{reason}: {self.advice}", sqlstate=sqlstate, reason=reason, advice=self.advice)


CONNECTION_LOST: Final = NotNow(
    DatabaseUnavailable,
    "PostgreSQL ended the connection, or is starting or stopping",
    "try again; if the error persists, start PostgreSQL",
)
PLAN_OUTDATED: Final = NotNow(
    DatabaseBusy, "the tables were changed after the statement was prepared", "try again"
)
_NOT_MIGRATED: Final = NotNow(
    DatabaseNotMigrated,
    "the database does not have this version's tables",
    "run `flexiprice migrate`, or wait for a restore that is under way to end",
)
_CONFLICT: Final = NotNow(DatabaseBusy, "another transaction conflicted", "try again")

# By prefix of the code; the longest matching prefix decides.
_NOT_NOW: Final = {
    "08": CONNECTION_LOST,
    "57P": CONNECTION_LOST,
    "3D000": NotNow(
        DatabaseUnavailable,
        "the database that FLEXIPRICE_DATABASE_URL names does not exist",
        "create it and run `flexiprice migrate`, or wait for a restore that is under way to end",
    ),
    "25006": NotNow(
        DatabaseUnavailable,
        "PostgreSQL is read-only, as a standby is",
        "point FLEXIPRICE_DATABASE_URL at the primary, or turn default_transaction_read_only off",
    ),
    "40": _CONFLICT,
    "42P01": _NOT_MIGRATED,
    "42703": _NOT_MIGRATED,
    "3F000": _NOT_MIGRATED,
    # ON CONFLICT finds no key: a restore creates tables first and their keys last.
    "42P10": _NOT_MIGRATED,
    "53": NotNow(DatabaseUnavailable, "PostgreSQL has run out of a resource", "see its log"),
    "53100": NotNow(DatabaseUnavailable, "PostgreSQL's disk is full", "free space on its server"),
    "53200": NotNow(DatabaseUnavailable, "PostgreSQL is out of memory", "see its log"),
    "53300": NotNow(
        DatabaseUnavailable,
        "PostgreSQL has no connection left for us",
        "raise its max_connections, or lower FLEXIPRICE_DATABASE_POOL_SIZE",
    ),
    "53400": NotNow(
        DatabaseUnavailable,
        "PostgreSQL reached a configured limit",
        "see its log; it may be temp_file_limit",
    ),
    "55006": NotNow(DatabaseBusy, "another session is using the object to change", "try again"),
    "55P03": NotNow(
        DatabaseBusy,
        "another session holds a lock for longer than we may wait",
        "try again; if the error persists, find the session in pg_stat_activity",
    ),
    "57014": NotNow(
        DatabaseBusy,
        "PostgreSQL cancelled a statement",
        "it took too long or an operator cancelled it; try again, or raise FLEXIPRICE_DATABASE_…_TIMEOUT",
    ),
    "58": NotNow(DatabaseUnavailable, "PostgreSQL cannot read or write its files", "see its log"),
}
_LENGTHS: Final = sorted({len(beginning) for beginning in _NOT_NOW}, reverse=True)


def sqlstate_of(error: BaseException | None) -> str:
    """Returns the code of a driver's exception; empty without one."""
    return str(getattr(error, "sqlstate", None) or "")


def refusal(sqlstate: str) -> DatabaseUnavailable:
    """Returns the error of a code, for a caller that found its cause without a driver's exception."""
    meaning = not_now(sqlstate)
    if meaning is None:
        raise ValueError(f"{sqlstate} is not a temporary refusal")
    return meaning.raised(sqlstate)


def not_now(sqlstate: str) -> NotNow | None:
    """Returns the refusal of a code if the same call may succeed later; None if it would fail again."""
    found = (_NOT_NOW.get(sqlstate[:length]) for length in _LENGTHS)
    return next((meaning for meaning in found if meaning is not None), None)
