"""Creates, reads, changes and deletes stores."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.constraints import fk_violation_as
from flexiprice.db.audit_notes import note_change
from flexiprice.db.sqlstate import INVALID_PARAMETER_VALUE, sqlstate_of
from flexiprice.db.tables import MAIN_STORE, Store
from flexiprice.domain.audit import changes_between
from flexiprice.errors import Conflict, InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """A store; `time_zone` is an IANA name, and the store's dates are local dates in it."""

    code: str
    time_zone: str
    created_at: datetime
    updated_at: datetime


_COLUMNS = (Store.code, Store.time_zone, Store.created_at, Store.updated_at)
_AUDITED = ("time_zone",)


async def create_store(session: AsyncSession, *, code: str, time_zone: str) -> StoreRecord:
    """Adds a store.

    Raises:
        Conflict: another store has that code.
        InvalidInput: the database does not know the time zone.
    """
    with _known_to_the_database(time_zone):
        rows = await session.execute(
            insert(Store)
            .values(code=code, time_zone=time_zone)
            .on_conflict_do_nothing(index_elements=[Store.code])
            .returning(*_COLUMNS)
        )
    if (row := rows.one_or_none()) is None:
        raise Conflict(f"a store with code {code!r} already exists", field="code")
    store = StoreRecord(*row)
    note_change(session, code, changes_between(None, store, _AUDITED))
    return store


async def get_store(session: AsyncSession, code: str) -> StoreRecord:
    """Returns a store by code.

    Raises:
        NotFound: it does not exist.
    """
    row = (await session.execute(select(*_COLUMNS).where(Store.code == code))).one_or_none()
    if row is None:
        raise _no_store(code)
    return StoreRecord(*row)


async def list_stores(
    session: AsyncSession,
    *,
    changed_since: datetime | None = None,
    after: str | None = None,
    limit: int = 100,
) -> tuple[StoreRecord, ...]:
    """Lists up to `limit` stores by code, after the code `after`, changed at `changed_since` or later."""
    query = select(*_COLUMNS).order_by(Store.code).limit(limit)
    if after is not None:
        query = query.where(Store.code > after)
    if changed_since is not None:
        query = query.where(Store.updated_at >= changed_since)
    return tuple(StoreRecord(*row) for row in await session.execute(query))


async def change_store(session: AsyncSession, code: str, *, time_zone: str) -> StoreRecord:
    """Moves a store to another time zone.

    Raises:
        NotFound: the store does not exist.
        InvalidInput: the database does not know the time zone.
    """
    locked = select(*_COLUMNS).where(Store.code == code).with_for_update(key_share=True)
    known = (await session.execute(locked)).one_or_none()
    if known is None:
        raise _no_store(code)
    with _known_to_the_database(time_zone):
        rows = await session.execute(
            update(Store).where(Store.code == code).values(time_zone=time_zone).returning(*_COLUMNS)
        )
    store = StoreRecord(*rows.one())
    note_change(session, code, changes_between(StoreRecord(*known), store, _AUDITED))
    return store


async def delete_store(session: AsyncSession, code: str) -> None:
    """Deletes a store that has no dependent rows.

    Raises:
        NotFound: the store does not exist.
        Conflict: it has batches or a price history, or it is `main`, which always exists.
    """
    if code == MAIN_STORE:
        raise Conflict(f"the store {MAIN_STORE!r} always exists")
    with fk_violation_as(f"the store {code!r} still has batches or a price history"):
        rows = await session.execute(delete(Store).where(Store.code == code).returning(*_COLUMNS))
    if (row := rows.one_or_none()) is None:
        raise _no_store(code)
    note_change(session, code, changes_between(StoreRecord(*row), None, _AUDITED))


async def require_store_id(session: AsyncSession, code: str) -> int:
    """Returns the id of a store by code, and locks the store against deletion until the transaction ends.

    Raises:
        NotFound: the store does not exist.
    """
    store_id = await session.scalar(
        select(Store.id).where(Store.code == code).with_for_update(read=True, key_share=True)
    )
    if store_id is None:
        raise _no_store(code)
    return store_id


@contextmanager
def _known_to_the_database(time_zone: str) -> Generator[None]:
    # The field's validator uses Python's time zones; a constraint uses the database's.
    try:
        yield
    except DBAPIError as error:
        if sqlstate_of(error.orig) == INVALID_PARAMETER_VALUE:
            raise InvalidInput(
                f"the database does not know the time zone {time_zone!r}", field="time_zone"
            ) from error
        raise


def _no_store(code: str) -> NotFound:
    return NotFound(f"there is no store {code!r}", field="store")
