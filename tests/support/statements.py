"""The statements that code sends to the database."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession


@asynccontextmanager
async def statements_of(session: AsyncSession) -> AsyncIterator[list[tuple[str, Any]]]:
    """The statements, with their parameters, that are sent in a session while the context is open."""
    connection = (await session.connection()).sync_connection
    assert connection is not None
    sent = list[tuple[str, Any]]()

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        sent.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(connection, "before_cursor_execute", note)


async def blocks_read(session: AsyncSession, statement: str, parameters: Any) -> int:
    """The number of blocks of tables and indexes that PostgreSQL touches for a statement as it was sent."""
    plan = await _executed_plan(session, statement, parameters)
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


async def rows_scanned(session: AsyncSession, statement: str, parameters: Any, *, table: str) -> int:
    """The rows of a table that the scans of a statement return, as it was sent."""
    return round(_rows_scanned(await _executed_plan(session, statement, parameters), table))


def _rows_scanned(plan: dict[str, Any], table: str) -> float:
    own = plan["Actual Rows"] * plan["Actual Loops"] if plan.get("Relation Name") == table else 0
    return own + sum(_rows_scanned(part, table) for part in plan.get("Plans", ()))


async def _executed_plan(session: AsyncSession, statement: str, parameters: Any) -> dict[str, Any]:
    explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
    plan = (await (await session.connection()).exec_driver_sql(explain + statement, parameters)).scalar_one()
    [top] = json.loads(plan) if isinstance(plan, str) else plan
    return dict(top["Plan"])
