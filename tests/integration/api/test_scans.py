"""`POST /admin/scans`: a scanned code finds its batch, or makes it, and changes its stock."""

import asyncio

import pytest

from tests.support.catalogue import ADMIN, create_batch, create_product, day

BREAD = "4006381333931"
GTIN = f"0{BREAD}"
FNC1 = "\x1d"


def digits(days: int) -> str:
    """YYMMDD of the date so many days from today."""
    return day(days)[2:].replace("-", "")


async def scan(client, code: str, *, status: int = 200, headers: dict | None = None, **body) -> dict:
    response = await client.post(f"{ADMIN}/scans", json={"code": code, **body}, headers=headers or {})
    assert response.status_code == status, response.text
    return response.json()


async def batches(client) -> list[tuple[str, str, str, str]]:
    found = (await client.get(f"{ADMIN}/batches")).json()["items"]
    return [(each["store"], each["lot"], each["expiry_date"], each["quantity"]) for each in found]


@pytest.fixture
async def shop(client):
    """A client of a shop with one product that has a GTIN."""
    await create_product(client, gtins=[BREAD])
    return client


async def test_a_scan_makes_the_batch_of_its_lot_and_date_and_the_next_adds_to_it(shop):
    code = f"]C101{GTIN}17{digits(5)}10L-0815{FNC1}3103001250"
    first = await scan(shop, code, quantity=12)
    assert (first["created"], first["quantity_before"], first["batch"]["quantity"]) == (True, "0", "12")
    assert first["repricing"]["status"] == "queued"
    assert first["scan"] == {
        "gtin": GTIN,
        "lot": "L-0815",
        "serial": None,
        "best_before": None,
        "use_by": day(5),
        "use_by_time": None,
        "weight": "1.250",
        "price": None,
        "count": None,
        "elements": {"01": GTIN, "17": digits(5), "10": "L-0815", "3103": "001250"},
    }
    link = f"https://id.gs1.org/01/{BREAD}/10/L-0815?17={digits(5)}"
    second = await scan(shop, link, quantity=3)
    assert (second["created"], second["quantity_before"], second["batch"]["quantity"]) == (False, "12", "15")
    assert second["batch"]["batch_id"] == first["batch"]["batch_id"]
    assert await batches(shop) == [("main", "L-0815", day(5), "15")]


async def test_a_scan_reprices_its_batch(shop):
    answer = await scan(shop, f"01{GTIN}17{digits(1)}")
    task = (await shop.get(answer["repricing"]["status_url"])).json()
    assert task["task"] == "recompute_batches"


async def test_a_count_sets_the_stock(shop):
    code = f"01{GTIN}17{digits(5)}"
    await scan(shop, code, quantity=12)
    counted = await scan(shop, code, quantity=7, mode="set")
    assert (counted["quantity_before"], counted["batch"]["quantity"]) == ("12", "7")
    refused = await scan(shop, code, mode="set", status=422)
    assert refused["errors"] == [{"field": "quantity", "reason": "a count needs a quantity"}]


async def test_without_a_quantity_it_is_the_count_of_the_code_or_one(shop):
    assert (await scan(shop, f"02{GTIN}3724{FNC1}17{digits(5)}"))["batch"]["quantity"] == "24"
    assert (await scan(shop, f"01{GTIN}17{digits(5)}"))["batch"]["quantity"] == "25"
    assert (await scan(shop, f"01{GTIN}17{digits(5)}", quantity=0))["batch"]["quantity"] == "25"


async def test_use_by_decides_before_best_before_and_a_date_without_lot_names_its_batch(shop):
    await scan(shop, f"01{GTIN}15{digits(9)}17{digits(5)}")
    await scan(shop, f"01{GTIN}15{digits(9)}")
    await scan(shop, f"01{GTIN}15{digits(9)}10A")
    await scan(shop, f"01{GTIN}15{digits(9)}")
    assert await batches(shop) == [
        ("main", "", day(5), "1"),
        ("main", "", day(9), "2"),
        ("main", "A", day(9), "1"),
    ]


async def test_a_lot_alone_means_its_batch_and_no_other(shop):
    await create_batch(shop, lot="A", days=5, quantity=0)
    await create_batch(shop, lot="B", days=5)
    assert (await scan(shop, f"01{GTIN}10A"))["batch"]["quantity"] == "1"
    none = await scan(shop, f"01{GTIN}10C", status=409)
    assert none["detail"] == (
        "store 'main' has no batch of 'BREAD' with the lot 'C'; a new one needs a date, of AI (17) or (15)"
    )
    swallowed = await scan(shop, f"01{GTIN}10C17{digits(5)}", status=409)
    assert "let the scanner send the separator (FNC1) as GS" in swallowed["detail"]
    assert len(await batches(shop)) == 2


async def test_a_gtin_alone_means_the_only_open_batch_of_its_product(shop):
    none = await scan(shop, BREAD, status=409)
    assert "'main' has no open batch of 'BREAD'; a new one needs a date" in none["detail"]
    await create_batch(shop, lot="expired", days=-1)
    await create_batch(shop, lot="sold out", days=5, quantity=0)
    open_batch = await create_batch(shop, lot="open", days=0, quantity=4)
    found = await scan(shop, BREAD, quantity=2)
    assert (found["created"], found["batch"]["lot"], found["batch"]["quantity"]) == (False, "open", "6")
    other = await create_batch(shop, days=8)
    refused = await scan(shop, BREAD, status=409)
    for text in (
        f"batch {open_batch['batch_id']} (lot open, expires {day(0)}, 6 in stock)",
        f"batch {other['batch_id']} (lot none, expires {day(8)}, 10 in stock)",
    ):
        assert text in refused["detail"]
    assert refused["errors"][0]["field"] == "code"
    assert sorted(quantity for *_, quantity in await batches(shop)) == ["0", "10", "10", "6"]


async def test_a_scan_belongs_to_its_store(shop):
    await shop.post(f"{ADMIN}/stores", json={"code": "north"})
    await scan(shop, f"01{GTIN}17{digits(5)}", store="north", quantity=2)
    await scan(shop, f"01{GTIN}17{digits(5)}", quantity=3)
    assert await batches(shop) == [("north", "", day(5), "2"), ("main", "", day(5), "3")]
    refused = await scan(shop, f"01{GTIN}17{digits(5)}", store="moon", status=404)
    assert refused["detail"] == "there is no store 'moon'"


async def test_an_unknown_gtin_says_how_a_product_gets_it(shop):
    refused = await scan(shop, "96385074", status=404)
    assert refused["errors"][0]["field"] == "code"
    assert refused["detail"] == (
        "no product has the GTIN 00000096385074: add it to the gtins of its product (PATCH "
        "/api/v1/admin/products/SKU), or import a file with the columns sku and gtin"
    )


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"code": "4006381333932"}, "code", "check digit 1, not in 2"),
        ({"code": f"01{GTIN}17261331"}, "code", "AI (17): '261331' is not a date: there is no month 13"),
        ({"code": f"01{GTIN}0534"}, "code", "begins with no application identifier"),
        ({"code": ""}, "code", "at least 1"),
        ({"code": "1" * 2001}, "code", "at most 2000"),
        ({"code": BREAD, "quantity": -1}, "quantity", "must be from 0 to 2147483647"),
        ({"code": BREAD, "mode": "take"}, "mode", "'add' or 'set'"),
        ({"code": BREAD, "lot": "A"}, "lot", "unknown field"),
        ({}, "code", "required"),
    ],
)
async def test_a_scan_that_cannot_be_is_refused_by_its_field(reader, body, field, reason):
    refused = await reader.post(f"{ADMIN}/scans", json=body)
    assert refused.status_code == 422, refused.text
    [error] = refused.json()["errors"]
    assert error["field"] == field
    assert reason in error["reason"]


async def test_stock_never_exceeds_its_maximum(shop):
    code = f"01{GTIN}17{digits(5)}"
    await scan(shop, code, quantity=2_147_483_647)
    refused = await scan(shop, code, status=409)
    assert refused["errors"][0]["field"] == "quantity"


async def test_scans_at_once_make_one_batch_and_are_all_counted(shop):
    code = f"01{GTIN}17{digits(5)}10A"
    # More at once might be refused as too many for the endpoint's share of connections.
    at_once = asyncio.Semaphore(3)

    async def scan_in_turn() -> dict:
        async with at_once:
            return await scan(shop, code, quantity=2)

    answers = await asyncio.gather(*(scan_in_turn() for _ in range(8)))
    assert sorted(answer["created"] for answer in answers) == [False] * 7 + [True]
    assert await batches(shop) == [("main", "A", day(5), "16")]


async def test_a_repeated_scan_with_its_key_is_counted_once_and_answered_as_the_first(shop):
    code, key = f"01{GTIN}17{digits(5)}", {"Idempotency-Key": "pallet-7"}
    first = await scan(shop, code, quantity=12, headers=key)
    again = await scan(shop, code, quantity=12, headers=key)
    assert {**again, "repricing": first["repricing"]} == first
    assert again["repricing"]["status"] == "queued"
    other = await scan(shop, code, quantity=13, headers=key, status=422)
    assert other["errors"] == [
        {"field": "Idempotency-Key", "reason": "the key was sent with another request: choose a new one"}
    ]
    assert await batches(shop) == [("main", "", day(5), "12")]
    await scan(shop, code, quantity=12, headers={"Idempotency-Key": "pallet-8"})
    assert await batches(shop) == [("main", "", day(5), "24")]


async def test_a_key_of_a_scan_that_was_refused_is_free(shop):
    key = {"Idempotency-Key": "pallet-7"}
    await scan(shop, BREAD, headers=key, status=409)
    await create_batch(shop)
    assert (await scan(shop, BREAD, headers=key))["batch"]["quantity"] == "11"


async def test_a_scan_sent_twice_at_once_is_counted_once(shop):
    code, key = f"01{GTIN}17{digits(5)}", {"Idempotency-Key": "pallet-7"}
    body = {"code": code, "quantity": 12}
    answers = await asyncio.gather(*(shop.post(f"{ADMIN}/scans", json=body, headers=key) for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert 200 in {answer.status_code for answer in answers}
    assert await batches(shop) == [("main", "", day(5), "12")]


async def test_the_audit_tells_the_batch_and_its_stock_before_and_after_once(shop):
    code, key = f"01{GTIN}17{digits(5)}10A", {"Idempotency-Key": "pallet-7"}
    for quantity, headers in ((12, {}), (3, key), (3, key)):
        await scan(shop, code, quantity=quantity, headers=headers)
    added, created, _ = (await shop.get(f"{ADMIN}/audit")).json()["items"]
    target = f"BREAD in main, expires {day(5)}, lot A"
    assert (created["action"], created["target"]) == ("record_scan", target)
    assert created["changes"] == {"quantity": {"old": None, "new": "12"}}
    assert added["sentence"] == f"record scan {target}: quantity 12 → 15"


async def test_a_scan_of_a_known_lot_with_another_date_corrects_the_date_and_says_so(shop):
    made = await scan(shop, f"01{GTIN}17{digits(2)}10L-7", quantity=12)
    corrected = await scan(shop, f"01{GTIN}17{digits(30)}10L-7", quantity=3)
    assert corrected["batch"]["batch_id"] == made["batch"]["batch_id"]
    assert (corrected["batch"]["expiry_date"], corrected["expiry_date_before"]) == (day(30), day(2))
    assert (corrected["quantity_before"], corrected["batch"]["quantity"]) == ("12", "15")
    again = await scan(shop, f"01{GTIN}17{digits(30)}10L-7", quantity=1)
    assert (made["expiry_date_before"], again["expiry_date_before"]) == (None, None)
    assert await batches(shop) == [("main", "L-7", day(30), "16")]


async def test_a_scan_with_a_lot_alone_keeps_its_date(shop):
    await scan(shop, f"01{GTIN}17{digits(2)}10L-7", quantity=12)
    counted = await scan(shop, f"01{GTIN}10L-7", quantity=11, mode="set")
    assert (counted["batch"]["expiry_date"], counted["expiry_date_before"]) == (day(2), None)


async def test_a_corrected_date_is_in_the_audit_log(shop):
    await scan(shop, f"01{GTIN}17{digits(2)}10L-7", quantity=12)
    await scan(shop, f"01{GTIN}17{digits(30)}10L-7", quantity=12, mode="set")
    newest = (await shop.get(f"{ADMIN}/audit")).json()["items"][0]
    assert newest["changes"] == {"expiry_date": {"old": day(2), "new": day(30)}}
