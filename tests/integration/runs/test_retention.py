"""Records of runs, receipts and audit are deleted after their retention."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.access.audit_log import list_audit
from flexiprice.runs.query import list_runs
from flexiprice.runs.receipts import find_receipt
from flexiprice.runs.recording import record_runs
from flexiprice.runs.retention import RECEIPTS_KEPT, PurgeSummary, purge_operations
from tests.support.run_records import NOON, SECOND, ended, started

_WEEK = timedelta(days=7)


async def test_each_kind_of_record_is_kept_for_its_time(session: AsyncSession) -> None:
    for name, at in (("old", NOON - SECOND), ("young", NOON)):
        await record_runs(session, [ended(started(started_at=at, job_id=name))])
        await session.execute(
            text("INSERT INTO job_receipts VALUES (:name, :at, '', :written)"),
            {"name": name, "at": NOON, "written": at - RECEIPTS_KEPT + _WEEK},
        )
        await session.execute(
            text("INSERT INTO workers (id, lost_at) VALUES (:name, :at)"), {"name": name, "at": at}
        )
    await session.execute(text("INSERT INTO workers (id, started_at) VALUES ('alive', '2020-01-01Z')"))
    await session.execute(
        text(
            "INSERT INTO audit_entries (at, actor, source, action, target, details) "
            "VALUES ('2020-01-01Z', 'root', 'cli', 'purge_queue', '', '{}')"
        )
    )
    purged = await purge_operations(session, now=NOON + _WEEK, run_history_retention_days=7)
    assert purged == PurgeSummary(runs=1, receipts=1, workers=1)
    assert [run.job_id for run in await list_runs(session)] == ["young"]
    assert await find_receipt(session, job_id="old", enqueued_at=NOON) is None
    assert await find_receipt(session, job_id="young", enqueued_at=NOON) is not None
    workers = await session.scalars(text("SELECT id FROM workers ORDER BY id"))
    assert workers.all() == ["alive", "young"]
    [kept] = await list_audit(session, until=datetime(2020, 1, 2, tzinfo=UTC))
    assert kept.action == "purge_queue"
