"""The memory of a worker's process that recomputes: `python -m tests.bench.memory URL NOW`."""

import asyncio
import resource
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.engine import create_engine
from flexiprice.pricing.cleanup import cleanup_expired_discounts
from flexiprice.pricing.price_history import slot_of, update_price_history
from flexiprice.pricing.recompute import recompute_all_discounts
from flexiprice.settings import load_settings
from tests.bench.shop import Shop

_ROOT = Path(__file__).parents[2]


async def megabytes(shop: Shop) -> float:
    """The most that a process held that opened every discount of the shop, recorded and cleaned up."""
    await shop.close_all()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.memory", shop.url, shop.now.isoformat(),
        cwd=_ROOT, stdout=subprocess.PIPE,
    )  # fmt: skip
    told, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the measured process failed")
    return float(told)


async def _work(url: str, now: datetime) -> None:
    engine = create_engine(load_settings(env_files=(), database_url=url), application_name="benchmark")
    for _ in range(2):
        async with AsyncSession(engine) as session, session.begin():
            await recompute_all_discounts(session, now=now)
    async with AsyncSession(engine) as session, session.begin():
        await update_price_history(session, slot_at=slot_of(now), now=now)
    async with AsyncSession(engine) as session, session.begin():
        await cleanup_expired_discounts(session, now=now, history_retention_days=730)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
    # Linux counts kilobytes.
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
