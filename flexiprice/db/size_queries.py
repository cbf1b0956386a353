"""What PostgreSQL knows of itself: its size, its tables with their partitions, and who is connected."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

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
    """Version, database, its bytes, start, connections allowed, share of blocks found in memory."""
    return (await session.execute(_SERVER)).one()


async def table_sizes(session: AsyncSession, *, limit: int) -> Rows:
    """Name, parent, bytes, bytes of indexes, rows (about), dead rows, last vacuum: the largest first."""
    return (await session.execute(_TABLES, {"limit": limit})).all()


async def connection_counts(session: AsyncSession, *, limit: int) -> Rows:
    """Program, connections, active, idle in a transaction, waiting for a lock, longest transaction."""
    return (await session.execute(_CONNECTIONS, {"limit": limit})).all()
