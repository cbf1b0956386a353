"""Access to `/admin` and to the metrics: keys, loopback, proxies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from httpx import ASGITransport, AsyncClient
from sqlalchemy import text
from structlog.testing import capture_logs

from api.main import create_app
from flexiprice.access.api_keys import create_api_key, revoke_api_key
from flexiprice.domain.access import Scope
from flexiprice.resources import open_database
from flexiprice.settings import Settings, load_settings
from tests.support.api_server import serve
from tests.support.catalogue import ADMIN

KEY = "a key with ümläuts, 16+"


@pytest.fixture
def guarded(shared_settings: Settings) -> Settings:
    """The same settings with an API key."""
    return load_settings(
        env_files=(),
        database_url=shared_settings.require_database_url(),
        redis_url=shared_settings.require_redis_url(),
        api_key=KEY,
    )


@asynccontextmanager
async def without_any_key(
    settings: Settings, *, peer: str = "127.0.0.1", **client_options
) -> AsyncIterator[AsyncClient]:
    """A client of an application without any key."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = ASGITransport(app, client=(peer, 40000), raise_app_exceptions=False)
        options = {"base_url": "http://127.0.0.1:8000"} | client_options
        async with AsyncClient(transport=transport, **options) as client:
            yield client


@pytest.fixture
def open_to_loopback(shared_settings: Settings) -> Settings:
    """Settings for development, without a key."""
    return shared_settings.model_copy(update={"open_loopback": True})


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.7", "203.0.113.9", "localhost.example", ""])
@pytest.mark.parametrize("path", [f"{ADMIN}/stores", f"{ADMIN}/nothing", ADMIN, "/metrics"])
async def test_api_without_keys_refuses_all_and_says_how_to_make_a_key(shared_settings, peer, path):
    async with without_any_key(shared_settings, peer=peer) as client:
        response = await client.get(path)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "unauthorized"
    assert "FLEXIPRICE_API_KEY" in response.json()["detail"]
    assert "flexiprice keys create" in response.json()["detail"]


async def test_request_through_a_plain_proxy_is_refused_without_a_key(shared_settings):
    # `proxy_pass http://127.0.0.1:8000` and no more: it comes from 127.0.0.1, with that in Host.
    async with without_any_key(shared_settings, headers={"Host": "127.0.0.1"}) as client:
        for method, path in (("GET", "stores"), ("POST", "discounts/trigger-recompute"), ("GET", "tasks/x")):
            assert (await client.request(method, f"{ADMIN}/{path}")).status_code == 401


@pytest.mark.parametrize("end", ["expire", "revoke"])
async def test_the_end_of_the_last_key_opens_nothing(settings, end):
    now = datetime.now(UTC)
    async with open_database(settings, program="flexiprice-tests") as database:
        async with database.sessions.begin() as session:
            issued = await create_api_key(
                session, name="last", scopes=[Scope.ADMIN], now=now, expires_at=now + timedelta(days=1)
            )
        async with without_any_key(settings) as client:
            with_key = {"X-API-Key": issued.key}
            assert (await client.get(f"{ADMIN}/stores", headers=with_key)).status_code == 200
        async with database.sessions.begin() as session:
            if end == "revoke":
                await revoke_api_key(session, "last", now=now)
            else:
                await session.execute(text("UPDATE api_keys SET expires_at = now()"))
    async with without_any_key(settings) as client:
        assert (await client.get(f"{ADMIN}/stores")).status_code == 401
        assert (await client.get(f"{ADMIN}/stores", headers=with_key)).status_code == 401


async def test_open_loopback_setting_serves_this_machine_and_the_log_says_so(open_to_loopback):
    for peer in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"):
        with capture_logs() as logs:
            async with without_any_key(open_to_loopback, peer=peer) as client:
                assert (await client.get(f"{ADMIN}/stores")).status_code == 200
        assert ("loopback_is_open", "warning") in [(line["event"], line["log_level"]) for line in logs]


@pytest.mark.parametrize("peer", ["10.0.0.7", "203.0.113.9", "2001:db8::1", "0.0.0.0", "localhost.example"])
async def test_open_loopback_setting_serves_no_other_machine(open_to_loopback, peer):
    async with without_any_key(open_to_loopback, peer=peer) as client:
        assert (await client.get(f"{ADMIN}/stores")).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "X-Real-IP",
        "Forwarded",
        "Via",
        "CF-Connecting-IP",
    ],
)
async def test_a_forwarding_header_shows_that_a_proxy_is_in_between(open_to_loopback, header):
    for peer in ("203.0.113.9", "127.0.0.1"):
        async with without_any_key(open_to_loopback, peer=peer) as client:
            assert (await client.get(f"{ADMIN}/stores", headers={header: "127.0.0.1"})).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://[broken"},
        {"Sec-Fetch-Site": "cross-site"},
        {"X-API-Key": "a wrong one is wrong here too"},
    ],
)
async def test_a_foreign_page_in_a_browser_on_this_machine_is_refused(open_to_loopback, headers):
    async with without_any_key(open_to_loopback) as client:
        assert (await client.post(f"{ADMIN}/policies/roll-back", headers=headers)).status_code == 401


async def test_this_machines_own_pages_are_served(open_to_loopback):
    async with without_any_key(open_to_loopback, base_url="http://localhost:8000") as client:
        headers = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}
        assert (await client.get(f"{ADMIN}/stores", headers=headers)).status_code == 200


async def test_request_with_two_different_keys_is_refused(guarded):
    for headers in (
        [("X-API-Key", KEY.encode()), ("Authorization", b"Bearer another")],
        [("X-API-Key", b"wrong"), ("X-API-Key", KEY.encode())],
        [("Authorization", b"Bearer wrong"), ("Authorization", f"Bearer {KEY}".encode())],
    ):
        async with serve(guarded) as client:
            response = await client.get(f"{ADMIN}/stores", headers=headers)
            assert response.status_code == 400
            assert "send one API key" in response.json()["detail"]
    async with serve(guarded) as client:
        both = {"X-API-Key": KEY.encode(), "Authorization": f"Bearer {KEY}".encode()}
        assert (await client.get(f"{ADMIN}/stores", headers=both)).status_code == 200


async def test_configured_key_opens_from_any_address_in_either_header(guarded):
    async with serve(guarded, peer="203.0.113.9", base_url="https://prices.example") as client:
        for headers in ({"Authorization": f"Bearer {KEY}".encode()}, {"X-API-Key": KEY.encode()}):
            assert (await client.get(f"{ADMIN}/stores", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": KEY[:-1].encode()},
        {"X-API-Key": f"{KEY}x".encode()},
        {"Authorization": KEY.encode()},
        {"Authorization": f"Basic {KEY}".encode()},
        {"Authorization": b"Bearer \xff\xfe"},
    ],
)
async def test_configured_key_closes_the_api_to_loopback_without_it(guarded, headers):
    async with serve(guarded) as client:
        response = await client.get(f"{ADMIN}/stores", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert KEY not in response.text


async def test_every_route_under_admin_is_guarded_and_so_is_what_does_not_exist(guarded):
    async with serve(guarded) as client:
        paths = client.app.openapi()["paths"]
        guarded_paths = [path for path in paths if path.startswith(f"{ADMIN}/")]
        assert len(guarded_paths) > 15
        for path in guarded_paths:
            for method in paths[path]:
                response = await client.request(method, path.replace("{", "").replace("}", ""))
                assert response.status_code == 401, (method, path)
        assert (await client.get(f"{ADMIN}/nothing")).status_code == 401
        assert (await client.get(ADMIN)).status_code == 401


async def test_a_refused_request_is_not_read(guarded):
    async def endless():
        yield b"{"
        raise AssertionError("the body was read")

    async with serve(guarded) as client:
        headers = {"Content-Type": "application/json"}
        response = await client.post(f"{ADMIN}/products", content=endless(), headers=headers)
        assert response.status_code == 401


async def test_prices_and_health_need_no_key(guarded):
    async with serve(guarded, peer="203.0.113.9", base_url="https://prices.example") as client:
        assert (await client.get("/api/v1/health/live")).status_code == 200
        assert (await client.get("/api/v1/products/NONE/price")).status_code == 404
