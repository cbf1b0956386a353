"""Security headers, CORS, trusted proxies, and the documentation's own files."""

import re

import pytest

from tests.support.api_server import BOOTSTRAP_KEY, serve
from tests.support.catalogue import ADMIN

PAGE = {"Origin": "https://shop.example"}
ASKING = {**PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}


async def test_every_response_has_headers_against_scripts_frames_and_sniffing(reader):
    for path in (
        f"{ADMIN}/stores",
        "/api/v1/nothing",
        "/metrics",
        "/openapi.json",
        "/api/v1/products/X/price",
    ):
        headers = (await reader.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'none'"), path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "strict-transport-security" not in headers
        assert ("cache-control" in headers) == (ADMIN in path)


async def test_responses_over_tls_have_hsts(shared_settings):
    async with serve(shared_settings, base_url="https://prices.example") as client:
        assert "strict-transport-security" in (await client.get("/api/v1/health/live")).headers


async def test_cors_refuses_origins_that_are_not_configured(shared_settings):
    async with serve(shared_settings) as client:
        for response in (
            await client.options(f"{ADMIN}/products", headers=ASKING),
            await client.get("/api/v1/products/X/price", headers=PAGE),
        ):
            assert "access-control-allow-origin" not in response.headers


async def test_cors_allows_configured_origins_alone_to_call_with_a_key(shared_settings):
    settings = shared_settings.model_copy(
        update={
            "cors_origins": ("https://shop.example",),
            "api_key": type(shared_settings.database_url)(BOOTSTRAP_KEY),
        }
    )
    async with serve(settings) as client:
        response = await client.options(f"{ADMIN}/products", headers=ASKING)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "https://shop.example"
        assert "credentials" not in str(response.headers)
        key = {"X-API-Key": BOOTSTRAP_KEY}
        response = await client.get(f"{ADMIN}/stores", headers=PAGE | key)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "https://shop.example"
        other = {"Origin": "https://elsewhere.example"}
        for response in (
            await client.options(f"{ADMIN}/products", headers=ASKING | other),
            await client.get(f"{ADMIN}/stores", headers=other | key),
        ):
            assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("trusted", "peer", "seen"),
    [
        ((), "10.0.0.7", "10.0.0.7"),
        (("10.0.0.0/24",), "10.0.0.7", "198.51.100.3"),
        (("10.0.0.0/24", "198.51.100.3"), "10.0.0.7", "203.0.113.9"),
        (("10.0.0.8",), "10.0.0.7", "10.0.0.7"),
    ],
)
async def test_forwarded_address_is_taken_from_trusted_proxies_alone(settings, trusted, peer, seen):
    behind = settings.model_copy(
        update={"trusted_proxies": trusted, "api_key": type(settings.database_url)(BOOTSTRAP_KEY)}
    )
    headers = {"X-API-Key": BOOTSTRAP_KEY, "X-Forwarded-For": "203.0.113.9, 198.51.100.3"}
    async with serve(behind, peer=peer, headers=headers) as client:
        await client.post(f"{ADMIN}/stores", json={"code": "north", "time_zone": "UTC"})
        (entry,) = (await client.get(f"{ADMIN}/audit")).json()["items"]
    assert (entry["actor"], entry["address"]) == ("bootstrap", seen)


async def test_trusted_proxy_cannot_make_a_client_a_loopback_one(shared_settings):
    behind = shared_settings.model_copy(update={"trusted_proxies": ("10.0.0.7",), "open_loopback": True})
    async with serve(behind, peer="10.0.0.7", headers={"X-Forwarded-For": "127.0.0.1"}) as client:
        assert (await client.get(f"{ADMIN}/stores")).status_code == 401


async def test_the_documentation_needs_nothing_from_elsewhere(reader):
    page = await reader.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "connect-src 'self';" in policy
    assert "//" not in policy
    assert "<script>" not in page.text
    places = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(places) == 4
    sizes = {}
    for place in places:
        assert place.startswith("/docs/"), place
        response = await reader.get(place)
        assert response.status_code == 200, place
        sizes[place.rpartition("/")[2]] = len(response.content)
    assert sizes["swagger-ui-bundle.js"] > 1_000_000
    assert '"/openapi.json"' in (await reader.get("/docs/start.js")).text


async def test_behind_a_proxy_with_a_path_the_documentation_finds_its_files(shared_settings):
    async with serve(shared_settings) as client:
        client.app.root_path = "/shop"
        assert 'src="/shop/docs/start.js"' in (await client.get("/shop/docs")).text
        assert '"/shop/openapi.json"' in (await client.get("/shop/docs/start.js")).text


async def test_the_documentation_can_be_switched_off(shared_settings):
    async with serve(shared_settings.model_copy(update={"docs": False})) as client:
        for path in ("/docs", "/docs/start.js", "/docs/files/swagger-ui.css", "/openapi.json", "/redoc"):
            assert (await client.get(path)).status_code == 404, path
