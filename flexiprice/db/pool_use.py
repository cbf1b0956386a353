"""How busy the connections of an engine are."""

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from flexiprice.metrics import PoolUse


def pool_use(engine: AsyncEngine) -> PoolUse:
    """The connections that an engine holds right now; may be asked for on any thread."""
    pool = engine.pool
    if not isinstance(pool, QueuePool):
        return PoolUse(in_use=0, idle=0, size=0)
    return PoolUse(in_use=pool.checkedout(), idle=pool.checkedin(), size=pool.size())
