"""Forgets what operations need no more: old runs, receipts, and workers that were lost long ago."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.runs.fencing import purge_lost_workers
from flexiprice.runs.receipts import purge_receipts
from flexiprice.runs.recording import purge_runs

# Longer than any installation stands still with a job that was done and not acknowledged.
RECEIPTS_KEPT: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeSummary:
    """What was forgotten: how many runs, receipts of jobs, and lost workers."""

    runs: int
    receipts: int
    workers: int


async def purge_operations(
    session: AsyncSession, *, now: datetime, run_history_retention_days: int
) -> PurgeSummary:
    """Forgets runs and lost workers when the run history's time is over, receipts after `RECEIPTS_KEPT`.

    The audit is kept for good.
    """
    before = now - timedelta(days=run_history_retention_days)
    return PurgeSummary(
        runs=await purge_runs(session, before=before),
        receipts=await purge_receipts(session, before=now - RECEIPTS_KEPT),
        workers=await purge_lost_workers(session, before=before),
    )
