"""Who is served under `/admin`."""

import pytest

from flexiprice.settings import Settings, load_settings
from tests.api.catalogue import ADMIN
from tests.api.conftest import serve

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


async def test_a_loopback_client_needs_no_key_where_none_is_set(shared_settings):
    for peer in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"):
        async with serve(shared_settings, peer=peer) as client:
            assert (await client.get(f"{ADMIN}/stores")).status_code == 200


@pytest.mark.parametrize("peer", ["10.0.0.7", "203.0.113.9", "2001:db8::1", "0.0.0.0", "localhost.example"])
async def test_any_other_client_is_told_how_to_set_a_key(shared_settings, peer):
    async with serve(shared_settings, peer=peer) as client:
        response = await client.get(f"{ADMIN}/stores")
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "unauthorized"
    assert "FLEXIPRICE_API_KEY" in response.json()["detail"]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-Host", "Via"])
async def test_no_forwarded_header_lets_a_client_in_and_each_shows_that_a_proxy_is_in_between(
    shared_settings, header
):
    async with serve(shared_settings, peer="203.0.113.9") as client:
        assert (await client.get(f"{ADMIN}/stores", headers={header: "127.0.0.1"})).status_code == 401
    async with serve(shared_settings, peer="127.0.0.1") as client:
        assert (await client.get(f"{ADMIN}/stores", headers={header: "127.0.0.1"})).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://[broken"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_a_foreign_page_in_a_browser_on_this_machine_is_refused(shared_settings, headers):
    async with serve(shared_settings) as client:
        assert (await client.post(f"{ADMIN}/policies/roll-back", headers=headers)).status_code == 401


async def test_this_machines_own_pages_are_served(shared_settings):
    async with serve(shared_settings, base_url="http://localhost:8000") as client:
        headers = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}
        assert (await client.get(f"{ADMIN}/stores", headers=headers)).status_code == 200


async def test_the_key_opens_to_clients_from_anywhere_in_either_header(guarded):
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
async def test_with_a_key_set_nothing_else_opens_not_even_on_this_machine(guarded, headers):
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
