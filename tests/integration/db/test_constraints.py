"""Constraints of the database, which hold for every program."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.pricing.recompute import recompute_all_discounts
from tests.support.builders import NOON, a_batch, a_product, an_active_policy

DISCOUNT = {
    "fingerprint": "0", "price": "1", "base_price": "2", "rate": "0.5", "limits": "0", "policy_version": "1",
    "expiry_date": "'2026-03-10'", "days_to_expiry": "0", "quantity": "1", "opened_at": "now()",
    "changed_at": "now()",
}  # fmt: skip
DECISION = {
    "batch_id": "1", "decided_at": "now()", "kind": "'opened'", "store_id": "1", "product_id": "1",
    "price": "1", "base_price": "2", "limits": "0", "policy_version": "1", "expiry_date": "'2026-03-10'",
    "days_to_expiry": "0", "quantity": "1",
}  # fmt: skip


def insert(table: str, columns: dict[str, str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(columns.values())})"


async def refuses(session: AsyncSession, statement: str, why: str) -> None:
    async def attempt() -> None:
        async with session.begin_nested():
            await session.execute(text(statement))
            await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))

    with pytest.raises(DBAPIError, match=why):
        await attempt()


@pytest.fixture
async def batch(session: AsyncSession) -> int:
    return await a_batch(session, await a_product(session, sku="BREAD"))


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("INSERT INTO stores (code) VALUES ('Main')", "ck_stores_code"),
        ("INSERT INTO stores (code) VALUES ('main')", "uq_stores_code"),
        ("INSERT INTO stores (code, time_zone) VALUES ('a', 'Mars/Olympus')", "Mars/Olympus"),
        ("UPDATE products SET base_price = 0", "ck_products_base_price"),
        ("UPDATE products SET base_price = 'NaN'", "ck_products_base_price"),
        ("UPDATE products SET base_price = 10000000000", "overflow"),
        ("UPDATE products SET unit_cost = -0.01", "ck_products_unit_cost"),
        ("UPDATE products SET sku = ''", "ck_products_sku"),
        ("UPDATE products SET name = repeat('x', 201)", "ck_products_name"),
        ("UPDATE products SET category = NULL", "null value"),
        ("DELETE FROM products", "fk_batches_product_id_products"),
        ("DELETE FROM stores", "fk_batches_store_id_stores"),
        ("UPDATE batches SET quantity = -1", "ck_batches_quantity"),
        ("UPDATE batches SET expiry_date = 'infinity'", "ck_batches_expiry_date"),
        ("UPDATE batches SET expiry_date = '1969-12-31'", "ck_batches_expiry_date"),
        (
            """INSERT INTO batches (store_id, product_id, lot, quantity, expiry_date)
            SELECT store_id, product_id, lot, quantity, expiry_date FROM batches""",
            "uq_batches",
        ),
    ],
)
async def test_a_catalogue_that_cannot_be_is_refused(
    session: AsyncSession, batch: int, statement: str, why: str
) -> None:
    await refuses(session, statement, why)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"price": "0"}, "ck_discounts_price"),
        ({"price": "2"}, "ck_discounts_price"),
        ({"rate": "1"}, "ck_discounts_rate"),
        ({"limits": "64"}, "ck_discounts_limits"),
        ({"batch_id": "0"}, "fk_discounts_batch_id_batches"),
    ],
)
async def test_a_discount_that_cannot_be_is_refused(
    session: AsyncSession, batch: int, wrong: dict[str, str], why: str
) -> None:
    await refuses(session, insert("discounts", {"batch_id": str(batch)} | DISCOUNT | wrong), why)


async def test_a_batch_has_one_open_price_at_most(session: AsyncSession, batch: int) -> None:
    row = insert("discounts", {"batch_id": str(batch)} | DISCOUNT)
    await session.execute(text(row))
    await refuses(session, row, "pk_discounts")
    await refuses(session, "DELETE FROM batches", "fk_discounts_batch_id_batches")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"kind": "'closed'", "price": "NULL", "previous_price": "1"}, "close_reason"),
        ({"close_reason": "'expired'"}, "close_reason"),
        ({"kind": "'changed'"}, "previous_price"),
        ({"price": "NULL"}, "ck_price_decisions_price"),
        ({"decided_at": "'1999-01-01'"}, "no partition"),
    ],
)
async def test_a_decision_that_cannot_be_is_refused(
    session: AsyncSession, wrong: dict[str, str], why: str
) -> None:
    await refuses(session, insert("price_decisions", DECISION | wrong), why)


async def test_the_ledger_can_only_be_appended_to(session: AsyncSession, batch: int) -> None:
    await an_active_policy(session)
    await recompute_all_discounts(session, now=NOON)
    await refuses(session, "UPDATE price_decisions SET price = 1", "append-only")
    await refuses(session, "DELETE FROM price_decisions", "append-only")
    await refuses(session, "UPDATE price_decisions_2026_03 SET price = 1", "append-only")


@pytest.mark.parametrize(
    ("slot", "price", "why"),
    [
        ("2026-03-10 12:00+00", "2.01", "ck_price_history_price"),
        ("2026-03-10 12:00+00", "0", "ck_price_history_price"),
        ("2026-03-10 13:00+00", "1", "ck_price_history_slot_at"),
    ],
)
async def test_a_snapshot_that_cannot_be_is_refused(
    session: AsyncSession, batch: int, slot: str, price: str, why: str
) -> None:
    await recompute_all_discounts(session, now=NOON)
    row = {"product_id": "(SELECT id FROM products)", "store_id": "1", "slot_at": f"'{slot}'"}
    await refuses(session, insert("price_history", row | {"price": price, "base_price": "2"}), why)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE policies SET document = '{}' WHERE version = 1", "immutable"),
        ("UPDATE policies SET comment = 'other' WHERE version = 1", "immutable"),
        ("DELETE FROM policies", "immutable"),
        ("UPDATE policies SET active = false", "one version of the policy must be active"),
        (
            "INSERT INTO policies (version, document, active, activated_at) VALUES (2, '{}', true, now())",
            "uq_policies_active",
        ),
        ("INSERT INTO policies (version, document) VALUES (0, '{}')", "ck_policies_version"),
    ],
)
async def test_policies_never_change_and_one_is_active(
    session: AsyncSession, statement: str, why: str
) -> None:
    await refuses(session, statement, why)
