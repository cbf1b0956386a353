"""Deletes runs, receipts and dead workers whose retention has ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.runs.fencing import purge_lost_workers
from flexiprice.runs.receipts import purge_receipts
from flexiprice.runs.recording import purge_runs

# Longer than any outage between a job's commit and its acknowledgement.
RECEIPTS_KEPT: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeSummary:
    """Numbers of deleted runs, receipts and dead workers."""

    runs: int
    receipts: int
    workers: int


async def purge_operations(
    session: AsyncSession, *, now: datetime, run_history_retention_days: int
) -> PurgeSummary:
    """Deletes runs and dead workers after the run history's retention, and receipts after `RECEIPTS_KEPT`.

    The audit log is kept for ever.
    """
    before = now - timedelta(days=run_history_retention_days)
    return PurgeSummary(
        runs=await purge_runs(session, before=before),
        receipts=await purge_receipts(session, before=now - RECEIPTS_KEPT),
        workers=await purge_lost_workers(session, before=before),
    )
