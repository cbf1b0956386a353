"""Stores from the command line."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flexiprice.cli.connections import in_transaction
from flexiprice.db.clock import database_now
from flexiprice.pricing.recompute import recompute_all_discounts
from flexiprice.settings import Settings
from tests.support.commands import Command

Told = Callable[..., Any]


def dates_in(zone: str, told: Told) -> tuple[set[str], dict[str, Any]]:
    """The dates in a zone before and after all stores were listed, and the stores by code."""
    before = datetime.now(ZoneInfo(zone))
    stores = {store["code"]: store for store in told("stores", "list")}
    return {str(moment.date()) for moment in (before, datetime.now(ZoneInfo(zone)))}, stores


def test_a_store_is_created_moved_to_another_zone_and_listed_with_its_own_date(
    command: Command, told: Told
) -> None:
    created = told("stores", "create", "kiritimati", "--time-zone", "Pacific/Kiritimati")
    assert (created["code"], created["time_zone"]) == ("kiritimati", "Pacific/Kiritimati")
    dates, stores = dates_in("Pacific/Kiritimati", told)
    assert stores.keys() == {"main", "kiritimati"}
    assert stores["kiritimati"]["today"] in dates

    moved = told("stores", "set-time-zone", "kiritimati", "Pacific/Niue")
    assert moved["time_zone"] == "Pacific/Niue"
    assert moved["repricing"]["status"] == "queued"
    assert told("status", moved["repricing"]["task_id"])["task"] == "recompute_all_discounts"
    # A day of difference: there is no instant at which both zones have one date.
    dates, stores = dates_in("Pacific/Niue", told)
    assert stores["kiritimati"]["today"] in dates
    assert (stores["kiritimati"]["batches"], stores["kiritimati"]["discounts"]) == (0, 0)


def test_batches_and_those_of_them_that_are_reduced_are_counted_by_store(
    command: Command, settings: Settings, tmp_path: Path
) -> None:
    now = in_transaction(settings, database_now)
    rows = [
        "sku,name,category,base_price,quantity,expiry_date,store",
        f"MILK,Whole milk,Dairy,2.00,5,{now.date()},main",
        f"MILK,Whole milk,Dairy,2.00,5,{now.date().replace(year=now.year + 3, day=1)},main",
        f"MILK,Whole milk,Dairy,2.00,5,{now.date().replace(year=now.year + 3, day=1)},berlin",
    ]
    assert command("stores", "create", "berlin").exit_code == 0
    (tmp_path / "stock.csv").write_text("\n".join(rows))
    assert command("import", "stock.csv").exit_code == 0
    in_transaction(settings, lambda session: recompute_all_discounts(session, now=now))
    listed = command("stores", "list")
    assert listed.exit_code == 0, listed.output
    lines = [line.split() for line in listed.stdout.splitlines() if line.strip()]
    assert lines[0] == ["store", "time", "zone", "today", "batches", "discounts"]
    assert [(line[0], line[1], *line[-2:]) for line in lines[2:]] == [
        ("berlin", "UTC", "1", "0"),
        ("main", "UTC", "2", "1"),
    ]


def test_audit_has_who_created_and_moved_a_store(command: Command, told: Told) -> None:
    assert "is created" in command("stores", "create", "berlin").stdout
    assert "Europe/Berlin now" in command("stores", "set-time-zone", "berlin", "Europe/Berlin").stdout
    entries = told("audit", "--target", "berlin")
    assert [(entry["action"], entry["changes"]) for entry in entries] == [
        ("change_store", {"time_zone": {"old": "UTC", "new": "Europe/Berlin"}}),
        ("create_store", {"time_zone": {"old": None, "new": "UTC"}}),
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["create", "main"], "a store with code 'main' already exists"),
        (["create", "Nord Süd"], "code 'Nord Süd'"),
        (["create", "Nord Süd"], "must be lower-case letters, digits, - and _"),
        (["create", "nord", "--time-zone", "Mars/Base"], "must be an IANA time zone such as Europe/Berlin"),
        (["set-time-zone", "nowhere", "UTC"], "there is no store 'nowhere'"),
        (["set-time-zone", "main", "CEST+2"], "must be an IANA time zone such as Europe/Berlin"),
    ],
)
def test_impossible_store_is_refused_with_the_reason(
    arguments: list[str], reason: str, command: Command
) -> None:
    refused = command("stores", *arguments)
    assert refused.exit_code == 1
    assert reason in str(refused.exception)
