"""The size of the database and its tables, and its connections by program."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.partitions import count_missing_partitions

_SERVER = text(
    """
    SELECT current_setting('server_version'), current_database(), pg_database_size(current_database()),
        pg_postmaster_start_time(), current_setting('max_connections')::integer,
        (SELECT sum(blks_hit) / nullif(sum(blks_hit + blks_read), 0) FROM pg_stat_database
            WHERE datname = current_database())::double precision
    """
)
# Of partitions too: the parent of a partitioned table has no size of its own.
# Of a table that was never analysed PostgreSQL says that it has -1 rows, of one that was vacuumed while
# it was empty that it has none; what was written since is in the statistics. Where neither tells, it is NULL.
_TABLES = text(
    """
    SELECT of_table.relname, parent.relname, pg_table_size(of_table.oid), pg_indexes_size(of_table.oid),
        CASE WHEN of_table.reltuples >= 0 OR stat.n_live_tup > 0 OR pg_relation_size(of_table.oid) = 0
            THEN greatest(of_table.reltuples, stat.n_live_tup, 0)::bigint END, coalesce(stat.n_dead_tup, 0),
        greatest(stat.last_vacuum, stat.last_autovacuum)
    FROM pg_class AS of_table
    LEFT JOIN pg_inherits ON pg_inherits.inhrelid = of_table.oid
    LEFT JOIN pg_class AS parent ON parent.oid = pg_inherits.inhparent
    LEFT JOIN pg_stat_user_tables AS stat ON stat.relid = of_table.oid
    WHERE of_table.relkind = 'r' AND of_table.relnamespace = CAST(current_schema() AS regnamespace)
    ORDER BY pg_total_relation_size(of_table.oid) DESC, of_table.relname
    LIMIT :limit
    """
)
_CONNECTIONS = text(
    """
    SELECT coalesce(nullif(application_name, ''), '?'), count(*), count(*) FILTER (WHERE state = 'active'),
        count(*) FILTER (WHERE state LIKE 'idle in transaction%'),
        count(*) FILTER (WHERE wait_event_type = 'Lock'),
        max(now() - xact_start) FILTER (WHERE state <> 'idle')
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    GROUP BY 1
    ORDER BY 2 DESC, 1
    LIMIT :limit
    """
)

Rows = Sequence[Row[*tuple[Any, ...]]]


async def server_facts(session: AsyncSession) -> Row[*tuple[Any, ...]]:
    """Selects version, database, bytes, start, maximum connections and cache hit ratio."""
    return (await session.execute(_SERVER)).one()


async def table_sizes(session: AsyncSession, *, limit: int) -> Rows:
    """Name, parent, bytes, bytes of indexes, rows (about), dead rows, last vacuum: the largest first."""
    return (await session.execute(_TABLES, {"limit": limit})).all()


async def connection_counts(session: AsyncSession, *, limit: int) -> Rows:
    """Selects program, connections, active, idle in transaction, waiting for locks, longest transaction."""
    return (await session.execute(_CONNECTIONS, {"limit": limit})).all()


MAX_LISTED_TABLES: Final = 500
_MAX_PROGRAMS: Final = 50


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table or partition.

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
    """The connections of one program, by its `application_name`.

    Attributes:
        program: such as `flexiprice-api`.
        connections: number of connections.
        active: connections that run a statement.
        idle_in_transaction: idle connections with an open transaction.
        waiting: connections that wait for a lock.
        longest_transaction: age of the oldest open transaction; None without one.
    """

    program: str
    connections: int
    active: int
    idle_in_transaction: int
    waiting: int
    longest_transaction: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSize:
    """A snapshot of the database's size and connections.

    Attributes:
        version: of PostgreSQL.
        name: of the database.
        total_bytes: size of the database.
        started_at: start of the server.
        max_connections: maximum connections of the server, to all databases.
        memory_share: cache hit ratio of blocks; None before any read.
        missing_partitions: missing partitions of this month and the next two.
        tables: tables and partitions, the largest first, up to `MAX_LISTED_TABLES`.
        programs: connections to this database by program.
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
        """The number of connections to this database, of all programs."""
        return sum(each.connections for each in self.programs)


async def get_database_size(session: AsyncSession, *, now: datetime) -> DatabaseSize:
    """Returns size and connections of the database; reads only PostgreSQL's catalogues and statistics."""
    version, name, size, started_at, max_connections, memory_share = await server_facts(session)
    tables = await table_sizes(session, limit=MAX_LISTED_TABLES)
    programs = await connection_counts(session, limit=_MAX_PROGRAMS)
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
