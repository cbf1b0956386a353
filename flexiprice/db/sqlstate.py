"""PostgreSQL's error codes (SQLSTATE) and what each means to us: the only table of them.

Workers, API, commands and monitor all read this table, so that one code means one thing everywhere.
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
"""Class: a value that cannot be stored or computed with."""
CONSTRAINT_VIOLATION: Final = "23"
"""Class: a row that contradicts a constraint."""
LOGIN_REFUSED: Final = "28"
"""Class: the account, its password or `pg_hba.conf`."""
POOLED_STATEMENT: Final = ("42P05", "26000")
"""A prepared statement that somebody else has made, or nobody: each transaction has another session."""

WRITES_REFUSED: Final = ("25006", "53100", "53400", "58")
"""Reads may go on where these refuse a write."""


@dataclass(frozen=True, slots=True)
class NotNow:
    """A refusal that ends by itself or when an operator acts; the same call may succeed later.

    Attributes:
        error: what it is raised as.
        reason: what is wrong, as a sentence without its full stop.
        advice: what ends it.
    """

    error: type[DatabaseUnavailable]
    reason: str
    advice: str

    def raised(self, sqlstate: str) -> DatabaseUnavailable:
        """The error to raise; its `details` have the code, the reason and the advice apart."""
        reason = f"{self.reason} ({sqlstate})" if sqlstate else self.reason
        return self.error(f"{reason}: {self.advice}", sqlstate=sqlstate, reason=reason, advice=self.advice)


CONNECTION_LOST: Final = NotNow(
    DatabaseUnavailable,
    "PostgreSQL ended the connection, or is starting or stopping",
    "try again; if it stays so, start PostgreSQL",
)
PLAN_OUTDATED: Final = NotNow(DatabaseBusy, "the tables were changed in the meantime", "try again")
_NOT_MIGRATED: Final = NotNow(
    DatabaseNotMigrated,
    "the database does not have this version's tables",
    "run `flexiprice migrate`, or wait for a restore that is under way to end",
)
_IN_THE_WAY: Final = NotNow(DatabaseBusy, "another transaction was in the way", "try again")

# By the beginning of the code; the longest one that fits decides.
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
        "let FLEXIPRICE_DATABASE_URL lead to the primary, or end default_transaction_read_only",
    ),
    "40": _IN_THE_WAY,
    "42P01": _NOT_MIGRATED,
    "42703": _NOT_MIGRATED,
    "3F000": _NOT_MIGRATED,
    # ON CONFLICT finds no key: a restore makes tables first and their keys last.
    "42P10": _NOT_MIGRATED,
    "53": NotNow(DatabaseUnavailable, "PostgreSQL has run out of something that it needs", "see its log"),
    "53100": NotNow(DatabaseUnavailable, "PostgreSQL's disk is full", "free space on its server"),
    "53200": NotNow(DatabaseUnavailable, "PostgreSQL is out of memory", "see its log"),
    "53300": NotNow(
        DatabaseUnavailable,
        "PostgreSQL has no connection left for us",
        "raise its max_connections, or lower FLEXIPRICE_DATABASE_POOL_SIZE",
    ),
    "53400": NotNow(
        DatabaseUnavailable,
        "a limit that is configured in PostgreSQL is reached",
        "see its log; it may be temp_file_limit",
    ),
    "55006": NotNow(DatabaseBusy, "another session uses what is to be changed", "try again"),
    "55P03": NotNow(
        DatabaseBusy,
        "another session holds a lock for longer than we may wait",
        "try again; if it stays so, find the session in pg_stat_activity",
    ),
    "57014": NotNow(
        DatabaseBusy,
        "PostgreSQL cancelled a statement",
        "it took too long or was ended by hand; try again, or raise FLEXIPRICE_DATABASE_…_TIMEOUT",
    ),
    "58": NotNow(DatabaseUnavailable, "PostgreSQL cannot read or write its files", "see its log"),
}
_LENGTHS: Final = sorted({len(beginning) for beginning in _NOT_NOW}, reverse=True)


def sqlstate_of(error: BaseException | None) -> str:
    """The code of a driver's exception; empty where it has none."""
    return str(getattr(error, "sqlstate", None) or "")


def refusal(sqlstate: str) -> DatabaseUnavailable:
    """The error that a code of the table stands for, for whoever finds its reason without meeting it."""
    meaning = not_now(sqlstate)
    if meaning is None:
        raise ValueError(f"{sqlstate}: does not pass")
    return meaning.raised(sqlstate)


def not_now(sqlstate: str) -> NotNow | None:
    """What a code means, where the same call may succeed later; None where it would fail again."""
    found = (_NOT_NOW.get(sqlstate[:length]) for length in _LENGTHS)
    return next((meaning for meaning in found if meaning is not None), None)
