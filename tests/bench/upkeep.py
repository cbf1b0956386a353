"""The price history and the cleanup against their floors."""

from datetime import timedelta
from itertools import count

from flexiprice.pricing.cleanup import cleanup_expired_discounts
from flexiprice.pricing.price_history import SLOT, slot_of, update_price_history
from tests.bench.comparison import Comparison, timed
from tests.bench.floors import DELETE_DISCOUNTS, SCAN_AND_JOIN, insert_decisions, keep_rows
from tests.bench.limits import CLEANUP, SNAPSHOT
from tests.bench.shop import Shop

_INSERT_SNAPSHOTS = """
    INSERT INTO price_history (product_id, store_id, slot_at, price, base_price)
    SELECT product_id, store_id, CAST(:slot AS timestamptz), 9.99, 12.34 FROM rows_to_write
"""


async def snapshot(shop: Shop, *, rounds: int) -> Comparison:
    """Every product that is reduced in a store is recorded; the floor scans, joins and inserts constants."""
    pairs = "SELECT DISTINCT product_id, store_id FROM discounts JOIN batches ON id = batch_id ORDER BY 1, 2"
    await shop.execute(*keep_rows(pairs), "TRUNCATE price_history")
    slots = (slot_of(shop.now) + number * SLOT for number in count(1))

    async def floor() -> float:
        scanned = await timed(shop.execute(SCAN_AND_JOIN, today=shop.now.date()))
        return scanned + await timed(shop.execute(_INSERT_SNAPSHOTS, slot=next(slots)))

    async def record() -> None:
        async with shop.sessions.begin() as session:
            await update_price_history(session, slot_at=next(slots), now=shop.now)

    async def ours() -> float:
        return await timed(record())

    compared = Comparison("price snapshot", shop.batches, SNAPSHOT.at(shop.batches))
    await compared.measure(rounds, ours=ours, floor=floor)
    compared.note = f"{await shop.value('SELECT count(*) FROM rows_to_write'):,} recorded"
    return compared


async def cleanup(shop: Shop, *, rounds: int) -> Comparison:
    """The discounts of one day expire; the floor scans, joins, deletes and inserts constants."""
    tomorrow = shop.now + timedelta(days=1)
    expiring = "SELECT batch_id FROM discounts WHERE expiry_date <= CAST(:today AS date)"
    await shop.execute(*keep_rows(expiring), today=shop.now.date())

    async def reopen() -> None:
        await shop.recompute()
        # Opened and closed again and again, a batch would leave more dead entries in the index each time.
        await shop.outside_transaction("VACUUM discounts")

    async def floor() -> float:
        scanned = await timed(shop.execute(SCAN_AND_JOIN, today=shop.now.date()))
        writes = (DELETE_DISCOUNTS, insert_decisions("closed"))
        wrote = await timed(shop.execute(*writes, today=shop.now.date(), now=shop.now))
        await reopen()
        return scanned + wrote

    async def clean_up() -> None:
        async with shop.sessions.begin() as session:
            await cleanup_expired_discounts(session, now=tomorrow, history_retention_days=730)

    async def ours() -> float:
        taken = await timed(clean_up())
        await reopen()
        return taken

    compared = Comparison("cleanup", shop.batches, CLEANUP.at(shop.batches))
    await compared.measure(rounds, ours=ours, floor=floor)
    compared.note = f"{await shop.value('SELECT count(*) FROM rows_to_write'):,} closed"
    return compared
