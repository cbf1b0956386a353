"""Workers that die while they share a recompute."""

import asyncio
import random
import time

from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS
from flexiprice.queue.redis import keys
from flexiprice.queue.status import JobInfo
from tests.chaos.harness import Harness
from tests.chaos.outcome import Outcome, unrecorded_of

_STORES = 16
_BATCHES = 1600
_RECOMPUTES = 10
_SHARDS = {"recompute_shards": "8", "recompute_shards_from": "0", "worker_concurrency": "3"}
_FILL = (
    "TRUNCATE batches, products, price_history, discounts CASCADE",
    (
        f"INSERT INTO stores (code) SELECT 'shard-' || n FROM generate_series(1, {_STORES}) AS n "
        "ON CONFLICT DO NOTHING"
    ),
    "INSERT INTO products (sku, name, category, category_key, base_price) VALUES ('P', 'p', 'C', 'c', 9)",
    (
        "INSERT INTO batches (store_id, product_id, lot, quantity, expiry_date) "
        "SELECT stores.id, products.id, 'L' || n, 10000, current_date FROM products, stores, "
        f"generate_series(1, {_BATCHES // _STORES}) AS n WHERE stores.code LIKE 'shard-%'"
    ),
)
_DECIDED = (
    "SELECT count(*) AS lines, count(DISTINCT (batch_id, base_price)) AS decisions FROM price_decisions"
)


async def shards_killed(harness: Harness) -> Outcome:
    """Workers killed at any moment of ten recomputes that they share in shards."""
    for statement in _FILL:
        await harness.query(statement)
    await _start(harness, 3)
    statuses: list[JobInfo] = []
    slowest = 0.0
    for _ in range(_RECOMPUTES):
        await harness.query("UPDATE products SET base_price = base_price + 1")
        job = await harness.queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
        killed_at = time.time()
        for _ in range(random.choice((1, 1, 2))):
            await asyncio.sleep(random.uniform(0, 0.35))
            killed_at = random.choice([worker for worker in harness.workers if worker.is_alive]).kill()
        await harness.until_ready([job.job_id])
        slowest = max(slowest, time.time() - killed_at)
        statuses += (await harness.statuses([job.job_id])).values()
        await _start(harness, 3 - sum(worker.is_alive for worker in harness.workers))
    decided = (await harness.query(_DECIDED))[0]
    left = [key async for key in harness.queue.redis.scan_iter(match=keys.children_key("*"))]
    await harness.query(_FILL[0])
    return Outcome(
        jobs=_RECOMPUTES,
        lost=sum(not _did_everything(status) for status in statuses) + _RECOMPUTES - len(statuses),
        doubled=decided["lines"] - decided["decisions"],
        unrecorded=await unrecorded_of(harness, [status.job_id for status in statuses]),
        recovery=slowest,
        note=f"{decided['lines']:,} decisions",
        as_it_should=decided["decisions"] == _RECOMPUTES * _BATCHES and not left,
    )


def _did_everything(status: JobInfo) -> bool:
    result = status.result
    return isinstance(result, dict) and result["opened"] + result["changed"] == _BATCHES


async def _start(harness: Harness, count: int) -> None:
    await harness.start_workers(count, module="workers.settings", worker_queues="discounts", **_SHARDS)
