"""Redaction of arguments, results and messages."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flexiprice.queue.redaction import (
    MAX_ARGUMENTS_BYTES,
    MAX_RESULT_BYTES,
    masked_result,
    redact,
    redact_text,
)


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Summary:
    opened: int
    price: Decimal


def size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def test_ordinary_arguments_stay_as_they_are() -> None:
    arguments = {"days_threshold": 30, "store": "main", "ratio": 0.5, "dry": False, "until": None}
    assert redact(arguments) == arguments


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "db_password",
        "dbPassword",
        "password2",
        "token",
        "accessToken",
        "access-token",
        "secret",
        "client_secret",
        "clientsecret",
        "api_key",
        "apikey",
        "APIKey",
        "X-API-Key",
        "key",
        "authorization",
        "Authorization",
        "cookie",
        "credentials",
        "passphrase",
        "private_key",
        "redis_dsn",
    ],
)
def test_a_value_with_a_secret_name_is_hidden(name: str) -> None:
    assert redact({name: "hunter2hunter2"}) == {name: "***"}


@pytest.mark.parametrize("name", ["monkey", "keyboard", "author", "tokenless", "sku", "category", "passage"])
def test_a_name_that_only_sounds_secret_is_not(name: str) -> None:
    assert redact({name: "banana"}) == {name: "banana"}


def test_secrets_are_hidden_at_every_depth_whatever_they_hold() -> None:
    arguments = {"shops": [{"login": {"password": {"old": "hunter1", "new": ["hunter2"]}}}], "token": 12345}
    assert redact(arguments) == {"shops": [{"login": {"password": "***"}}], "token": "***"}


def test_a_secret_that_is_absent_is_seen_to_be_absent() -> None:
    assert redact({"token": None}) == {"token": None}


def test_the_user_of_a_url_and_an_authorization_are_hidden_in_any_text() -> None:
    text = "cannot reach postgresql://flexi:hunter2@db:5432/prices with Bearer abcdefgh12345678"
    assert redact_text(text) == "cannot reach postgresql://***@db:5432/prices with Bearer ***"
    assert redact({"note": text})["note"] == redact_text(text)


def test_redaction_writes_values_unknown_to_json_as_readable_text() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    arguments = {
        "price": Decimal("1.20"),
        "at": now,
        "on": date(2026, 3, 1),
        "for": timedelta(minutes=5),
        "id": UUID(int=7),
        "colour": Colour.RED,
        "summary": Summary(3, Decimal("0.50")),
        "nothing": float("nan"),
        "huge": 10**1000,
        "tuple": (1, 2),
        "other": object,
    }
    kept = redact(arguments)
    assert kept["price"] == "1.20"
    assert kept["at"] == "2026-03-01T12:00:00Z"
    assert kept["on"] == "2026-03-01"
    assert kept["for"] == "PT5M"
    assert kept["colour"] == "red"
    assert kept["summary"] == {"opened": 3, "price": "0.50"}
    assert kept["nothing"] == "nan"
    assert kept["huge"] == "a number of 3,322 bits"
    assert kept["tuple"] == [1, 2]
    json.dumps(kept, allow_nan=False)


def test_long_lists_and_texts_say_how_much_is_missing() -> None:
    kept = redact({"batch_ids": list(range(10_000)), "note": "x" * 700})
    assert kept["batch_ids"][:3] == [0, 1, 2]
    assert kept["batch_ids"][-1] == "… 9,950 more"
    assert kept["note"].endswith("… 200 more characters")


def test_redaction_does_not_follow_a_value_that_contains_itself() -> None:
    loop: dict[str, object] = {}
    loop["again"] = loop
    assert redact(loop) == {"…": "a dict that cannot be shown"}


def test_redaction_takes_any_result() -> None:
    assert masked_result(None) is None
    assert masked_result(Summary(3, Decimal("0.50"))) == {"opened": 3, "price": "0.50"}
    assert masked_result(["a", {"token": "hunter2"}]) == ["a", {"token": "***"}]
    assert size(masked_result([{"name": "x" * 400} for _ in range(1000)])) <= MAX_RESULT_BYTES


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals(),
    lambda inner: st.lists(inner, max_size=60) | st.dictionaries(st.text(max_size=20), inner, max_size=60),
    max_leaves=60,
)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.text(max_size=600), _ANYTHING | st.text(min_size=600, max_size=700), max_size=60))
def test_whatever_comes_is_kept_as_json_within_its_bound(arguments: dict[str, object]) -> None:
    kept = redact(arguments)
    assert size(kept) <= MAX_ARGUMENTS_BYTES
    json.dumps(kept, allow_nan=False)
