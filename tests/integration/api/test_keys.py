"""API keys over HTTP: scopes, names in the audit, revocation, and limits for wrong keys."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

import api.security.authentication
from api.security.scopes import needed_scope
from flexiprice.access.api_keys import create_api_key, revoke_api_key
from flexiprice.domain.access import Scope, allows
from flexiprice.resources import open_database
from tests.support.api_server import BOOTSTRAP_KEY, serve
from tests.support.catalogue import ADMIN, create_product

NOW = datetime.now(UTC)
METHODS = {"get", "put", "post", "patch", "delete"}


@asynccontextmanager
async def transaction(settings) -> AsyncIterator[AsyncSession]:
    """A transaction from outside the API."""
    async with (
        open_database(settings, program="flexiprice-tests") as database,
        database.sessions.begin() as session,
    ):
        yield session


@pytest.fixture
async def keys(settings) -> dict[Scope, dict[str, str]]:
    """The header with a key of each scope, all in the database."""
    async with transaction(settings) as session:
        issued = {
            scope: await create_api_key(session, name=f"the-{scope}-key", scopes=[scope], now=NOW)
            for scope in Scope
        }
    return {scope: {"X-API-Key": key.key} for scope, key in issued.items()}


def documented_endpoints(client) -> list[tuple[str, str]]:
    paths = client.app.openapi()["paths"]
    return [(path, method) for path, item in paths.items() for method in METHODS & item.keys()]


async def test_every_endpoint_admits_exactly_the_keys_with_its_documented_scope(settings, keys):
    async with serve(settings) as client:
        paths = client.app.openapi()["paths"]
        seen = set()
        for path, method in documented_endpoints(client):
            if not path.startswith(ADMIN):
                assert "security" not in paths[path][method]
                continue
            operation = paths[path][method]
            (documented,) = {
                scope for way in operation["security"] for scopes in way.values() for scope in scopes
            }
            url = re.sub(r"{[^}]*}", "0", path)
            for scope in Scope:
                # With a parameter that is not there, so that nothing comes of it where it is allowed.
                response = await client.request(method, url, params={"no such": 1}, headers=keys[scope])
                allowed = allows((scope,), Scope(documented))
                assert response.status_code == (422 if allowed else 403), (method, path, scope)
                if not allowed:
                    assert f"`{documented}`" in response.json()["detail"]
                    assert f'scope="{documented}"' in response.headers["www-authenticate"]
            assert "403" in operation["responses"]
            assert "429" in operation["responses"]
            seen.add((operation["tags"][0], method == "get", documented))
    assert {scope for _, reads, scope in seen if reads} == {"read"}
    changing = {tag: scope for tag, reads, scope in seen if not reads}
    prices = {"stores", "products", "batches", "scans", "discounts", "policies", "price-list"}
    assert changing == dict.fromkeys(prices, "prices") | dict.fromkeys(
        {"tasks", "queues", "schedules", "workers"}, "admin"
    ) | {"events": "events"}


@pytest.mark.parametrize("tags", [["new"], [], ["batches", "tasks"]])
def test_endpoint_without_a_scope_is_not_served(tags):
    for method in ("GET", "POST"):
        with pytest.raises(LookupError, match=r"api/security/scopes\.py"):
            needed_scope({method}, tags)


async def test_audit_and_jobs_carry_the_name_of_the_key(settings, keys):
    async with serve(settings, headers=keys[Scope.PRICES]) as client:
        await create_product(client)
        recompute = (await client.post(f"{ADMIN}/discounts/trigger-recompute")).json()
        looking = {"headers": keys[Scope.READ]}
        shown = (await client.get(f"{ADMIN}/tasks/{recompute['task_id']}", **looking)).json()
        assert shown["actor"] == "the-prices-key"
        entries = (await client.get(f"{ADMIN}/audit", **looking)).json()["items"]
        assert {entry["actor"] for entry in entries} == {"the-prices-key"}


async def test_revoked_key_leaves_the_cache_after_seconds(settings, keys, monkeypatch):
    async with serve(settings, headers=keys[Scope.READ]) as client:
        assert (await client.get(f"{ADMIN}/stores")).status_code == 200
        async with transaction(settings) as session:
            await revoke_api_key(session, "the-read-key", now=NOW)
        assert (await client.get(f"{ADMIN}/stores")).status_code == 200
        assert 0 < api.security.authentication.REMEMBERED_SECONDS <= 5
        monkeypatch.setattr(api.security.authentication, "REMEMBERED_SECONDS", 0.0)
        assert (await client.get(f"{ADMIN}/stores")).status_code == 401


async def test_only_the_environments_key_opens_while_the_database_is_away(client_without_database, keys):
    client = client_without_database
    assert (await client.get(f"{ADMIN}/queues")).status_code == 200
    response = await client.get(f"{ADMIN}/queues", headers=keys[Scope.ADMIN])
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    response = await client.get(f"{ADMIN}/queues", headers={"X-API-Key": "no key of any form"})
    assert response.status_code == 401


async def test_a_database_of_an_older_version_is_told_as_such(empty_database_url, settings):
    older = settings.model_copy(update={"database_url": type(settings.database_url)(empty_database_url)})
    async with serve(older) as client:
        response = await client.get(f"{ADMIN}/stores")
        assert (response.status_code, response.json()["code"]) == (503, "not_migrated")
        response = await client.get(f"{ADMIN}/stores", headers={"X-API-Key": f"fp_{'0' * 12}_{'0' * 48}"})
    assert (response.status_code, response.json()["code"]) == (503, "not_migrated")


async def test_too_many_wrong_keys_lock_out_their_address_alone_in_every_process(
    shared_settings,
):
    limited = shared_settings.model_copy(
        update={"failed_key_limit": 3, "api_key": type(shared_settings.database_url)(BOOTSTRAP_KEY)}
    )
    wrong, right = {"X-API-Key": "a guess"}, {"X-API-Key": BOOTSTRAP_KEY}
    async with serve(limited, peer="2001:db8::1") as one, serve(limited, peer="2001:db8::2") as another:
        assert [(await one.get(f"{ADMIN}/stores", headers=wrong)).status_code for _ in range(4)] == [
            *[401] * 3,
            429,
        ]
        refused = await one.get(f"{ADMIN}/stores", headers=right)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert 0 < int(refused.headers["retry-after"]) <= 60
        # Another process learns of it with the next guess, though from another address of the network.
        assert (await another.get(f"{ADMIN}/stores", headers=wrong)).status_code == 429
        assert (await another.get(f"{ADMIN}/stores", headers=right)).status_code == 429
    async with serve(limited, peer="2001:db8:0:1::1") as neighbour:
        assert (await neighbour.get(f"{ADMIN}/stores", headers=right)).status_code == 200
        for no_key in ({}, {"X-API-Key": ""}):
            answers = [await neighbour.get(f"{ADMIN}/stores", headers=no_key) for _ in range(5)]
            assert {answer.status_code for answer in answers} == {401}


async def test_wrong_keys_are_counted_by_each_process_while_redis_is_away(client_without_redis):
    client = client_without_redis
    settings = client.app.state.resources.settings
    limited = settings.model_copy(
        update={"failed_key_limit": 2, "api_key": type(settings.database_url)(BOOTSTRAP_KEY)}
    )
    async with serve(limited) as client:
        for status in (401, 401, 429):
            assert (await client.get(f"{ADMIN}/stores", headers={"X-API-Key": "?"})).status_code == status
    async with serve(limited, headers={"X-API-Key": BOOTSTRAP_KEY}) as client:
        assert (await client.get(f"{ADMIN}/stores")).status_code == 200


async def test_simultaneous_key_guesses_are_checked_only_up_to_the_limit(shared_settings):
    limited = shared_settings.model_copy(update={"failed_key_limit": 20})
    for shape in ("guess-{}", "fp_0123456789ab_{:048x}"):
        async with serve(limited, peer=f"203.0.113.{len(shape)}") as one:
            guesses = [
                one.get(f"{ADMIN}/stores", headers={"X-API-Key": shape.format(number)})
                for number in range(200)
            ]
            statuses = Counter(answer.status_code for answer in await asyncio.gather(*guesses))
            assert statuses == {401: 20, 429: 180}, shape


async def test_wrong_keys_beside_a_good_one_are_refused_together_and_never_looked_at(settings, keys):
    limited = settings.model_copy(update={"failed_key_limit": 2})
    good = keys[Scope.READ]["X-API-Key"]
    async with serve(limited) as client:
        for number in range(10):
            headers = [("Authorization", f"Bearer guess-{number}"), ("X-API-Key", good)]
            assert (await client.get(f"{ADMIN}/stores", headers=headers)).status_code == 400


async def test_guesses_from_an_address_lock_no_valid_key_of_it_out(settings, keys):
    limited = settings.model_copy(update={"failed_key_limit": 2})
    good, lookalike = keys[Scope.READ], f"{keys[Scope.READ]['X-API-Key'][:-48]}{'0' * 48}"
    async with serve(limited, peer="203.0.113.9") as client:
        for guess in ("a", "b", "c", lookalike):
            last = await client.get(f"{ADMIN}/stores", headers={"X-API-Key": guess})
        assert last.status_code == 429
        assert (await client.get(f"{ADMIN}/stores", headers=good)).status_code == 200
        # One that was made while the address waits, too.
        async with transaction(settings) as session:
            issued = await create_api_key(session, name="new", scopes=[Scope.READ], now=NOW)
        assert (await client.get(f"{ADMIN}/stores", headers={"X-API-Key": issued.key})).status_code == 200
        # The operator's own key may be guessable, so wrong keys lock it for the whole address.
        assert (await client.get(f"{ADMIN}/stores")).status_code == 429


async def test_the_log_tells_whose_key_a_request_came_with_and_from_where(settings, keys):
    with capture_logs() as logs:
        async with serve(settings, peer="203.0.113.9", headers=keys[Scope.READ]) as client:
            await client.get(f"{ADMIN}/stores")
            await client.get(f"{ADMIN}/stores", headers={"X-API-Key": "wrong"})
    told = [(line["status"], line["key"], line["address"]) for line in logs if line["event"] == "request"]
    assert told == [(200, "the-read-key", "203.0.113.9"), (401, None, "203.0.113.9")]
