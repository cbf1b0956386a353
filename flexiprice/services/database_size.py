"""How large the database is, what takes the room, and who is connected to it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db import size_queries
from flexiprice.db.partitions import count_missing_partitions

MAX_LISTED_TABLES: Final = 500
_MAX_PROGRAMS: Final = 50


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table, or a partition of one.

    Attributes:
        name: its name.
        parent: the table that it is a partition of; None where it is none.
        table_bytes: its rows.
        index_bytes: its indexes.
        rows: as PostgreSQL estimates them; None where nobody has counted them yet.
        dead_rows: rows that are gone and whose room is not free yet, likewise.
        vacuumed_at: when that room was last freed; None where it never was.
    """

    name: str
    parent: str | None
    table_bytes: int
    index_bytes: int
    rows: int | None
    dead_rows: int
    vacuumed_at: datetime | None

    @property
    def total_bytes(self) -> int:
        """Rows and indexes."""
        return self.table_bytes + self.index_bytes


@dataclass(frozen=True, slots=True)
class ProgramConnections:
    """The connections of one program, by the name that it gives itself.

    Attributes:
        program: such as `flexiprice-api`.
        connections: all of them.
        active: those that run a statement.
        idle_in_transaction: those that keep a transaction open and do nothing.
        waiting: those that wait for a lock.
        longest_transaction: for how long the oldest open transaction has been; None where none is.
    """

    program: str
    connections: int
    active: int
    idle_in_transaction: int
    waiting: int
    longest_transaction: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSize:
    """The database at one moment.

    Attributes:
        version: PostgreSQL's.
        name: the database's.
        total_bytes: all of it.
        started_at: when the server was started.
        max_connections: connections that the server allows, to all databases.
        memory_share: the fraction of blocks that were found in memory; None before any was read.
        missing_partitions: partitions of this month and the next two that are not there.
        tables: the largest first, partitions among them, up to `MAX_LISTED_TABLES`.
        programs: who is connected to this database.
    """

    version: str
    name: str
    total_bytes: int
    started_at: datetime
    max_connections: int
    memory_share: float | None
    missing_partitions: int
    tables: tuple[TableSize, ...]
    programs: tuple[ProgramConnections, ...]

    @property
    def connections(self) -> int:
        """To this database, whoever's."""
        return sum(each.connections for each in self.programs)


async def get_database_size(session: AsyncSession, *, now: datetime) -> DatabaseSize:
    """How large the database is, and who is connected; reads nothing but PostgreSQL's own records."""
    version, name, size, started_at, max_connections, memory_share = await size_queries.server_facts(session)
    tables = await size_queries.table_sizes(session, limit=MAX_LISTED_TABLES)
    programs = await size_queries.connection_counts(session, limit=_MAX_PROGRAMS)
    return DatabaseSize(
        version=version,
        name=name,
        total_bytes=size,
        started_at=started_at,
        max_connections=max_connections,
        memory_share=memory_share,
        missing_partitions=await count_missing_partitions(session, now=now),
        tables=tuple(TableSize(*row) for row in tables),
        programs=tuple(ProgramConnections(*row) for row in programs),
    )
