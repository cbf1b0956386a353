"""Under a URL prefix, routes and guards see the same path, and every address works."""

import pytest
from httpx import ASGITransport, AsyncClient

from api.main import create_app
from flexiprice.errors import InvalidSettings
from tests.support.api_server import WITH_KEY, serve

ADMIN = "/api/v1/admin"
STORE = {"code": "north", "time_zone": "Europe/Berlin"}


def prefixed(settings, prefix="/shop"):
    return settings.model_copy(update={"url_prefix": prefix})


@pytest.mark.parametrize("sent", ["", "/shop"], ids=["stripped", "passed-on"])
async def test_every_address_carries_the_configured_prefix(settings, sent):
    async with serve(prefixed(settings)) as client:
        created = await client.post(f"{sent}{ADMIN}/stores", json=STORE)
        assert created.headers["location"] == f"/shop{ADMIN}/stores/north"
        assert (await client.get(created.headers["location"])).status_code == 200
        started = await client.post(f"{sent}{ADMIN}/discounts/trigger-recompute")
        assert started.status_code == 202, started.text
        assert started.json()["status_url"].startswith(f"/shop{ADMIN}/discounts/task-status/")
        start = (await client.get(f"{sent}/")).json()
        assert all(start[name].startswith("/shop/") for name in ("docs", "openapi", "live", "api", "admin"))
        docs = await client.get(f"{sent}/docs")
        assert 'href="/shop/docs/files/swagger-ui.css"' in docs.text
        described = (await client.get(f"{sent}/openapi.json")).json()
        assert [server["url"] for server in described["servers"]] == ["/shop"]


@pytest.mark.parametrize("sent", ["/shop", "/shop/shop"], ids=["stripped", "passed-on"])
async def test_a_root_path_of_the_server_is_a_prefix(settings, sent):
    async with serve(settings) as served:
        # As uvicorn does: it puts the root path before the path that came.
        transport = ASGITransport(served.app, root_path="/shop")
        async with AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=WITH_KEY) as client:
            created = await client.post(f"{sent}{ADMIN}/stores", json=STORE)
            assert created.headers["location"] == f"/shop{ADMIN}/stores/north"


@pytest.mark.parametrize(
    "path",
    [f"{ADMIN}/stores", f"/shop{ADMIN}/stores", f"/shop/shop{ADMIN}/stores", f"/shop//shop{ADMIN}/stores"],
)
@pytest.mark.parametrize("root_path", ["", "/shop"])
async def test_no_spelling_of_a_path_evades_the_admin_guard(settings, path, root_path):
    async with serve(prefixed(settings), headers={}) as served:
        transport = ASGITransport(served.app, root_path=root_path)
        async with AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            # A path without a route is not served.
            assert (await client.get(path)).status_code in {401, 404}
            assert (await client.get(f"{ADMIN}/stores")).status_code == 401


def test_a_prefix_that_is_a_path_of_ours_is_refused(settings):
    for prefix in ("/api", "/docs/shop"):
        with pytest.raises(InvalidSettings, match="FLEXIPRICE_URL_PREFIX"):
            create_app(prefixed(settings, prefix)).build_middleware_stack()


@pytest.mark.parametrize("path", ["/", "/api/v1/health/live", "/api/v1/health/ready"])
async def test_head_is_answered_on_health_as_get_is(reader, path):
    got, headed = await reader.get(path), await reader.head(path)
    assert headed.status_code == got.status_code
    assert headed.headers["content-type"] == got.headers["content-type"]
    refused = await reader.post(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
