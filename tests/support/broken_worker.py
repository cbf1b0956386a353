"""The toy worker with a defect in one of its parts."""

from tests.support.toy_worker import WorkerSettings
from workers.runtime.recovery.reaper import Reaper

__all__ = ["WorkerSettings"]


async def fail(_: Reaper) -> None:
    raise RuntimeError("a defect")


Reaper.main = fail  # type: ignore[method-assign]
