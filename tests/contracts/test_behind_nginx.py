"""Behind nginx, as the manual sets it up: everything is under the path, and nothing opens without a key."""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.contracts.nginx import Prefix, Proxy, nginx_before
from tests.contracts.programs import KEY, PATH, Programs

pytestmark = pytest.mark.contracts

API = f"{PATH}/api/v1"
ADMIN = f"{API}/admin"
SOCKET = f"{PATH}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
# Attributes of a page that hold addresses.
ADDRESSES = re.compile(r"""(?:href|src|action)="([^"#]+)"|@import url\("([^"]+)"\)""")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}
# Each needs a folder of its own.
NUMBERS = count(1)


@pytest.fixture(params=Prefix)
def prefix(request: pytest.FixtureRequest) -> Prefix:
    """The way in which nginx passes the path on."""
    return request.param


@pytest.fixture(params=[True, False], ids=["with-headers", "without-headers"])
def tells(request: pytest.FixtureRequest) -> bool:
    """Whether nginx sends the headers of host and client."""
    return request.param


@pytest.fixture
def proxy(programs: Programs, tmp_path: Path, prefix: Prefix, tells: bool) -> Iterator[Proxy]:
    """nginx before programs that have a key."""
    with nginx_before(programs, tmp_path / "nginx", prefix, tells=tells) as running:
        yield running


@pytest.fixture
def proxy_of_keyless(
    keyless_programs: Programs, tmp_path: Path, prefix: Prefix, tells: bool
) -> Iterator[Proxy]:
    """nginx before programs that have none."""
    with nginx_before(keyless_programs, tmp_path / "nginx", prefix, tells=tells) as running:
        yield running


def client(proxy: Proxy, **options: object) -> httpx.Client:
    return httpx.Client(base_url=proxy.address, trust_env=False, timeout=60, **options)


def addresses_in(page: str) -> list[str]:
    return [first or second for first, second in ADDRESSES.findall(page)]


def expect_all_found(browser: httpx.Client, page: str) -> set[str]:
    """Follows all addresses of a page; returns the kinds of files that came."""
    kinds = set()
    for address in addresses_in(page):
        assert address.startswith(f"{PATH}/"), address
        found = browser.get(address)
        assert found.status_code == 200, address
        if (kind := Path(found.url.path).suffix) in TYPES:
            assert found.headers["content-type"].startswith(TYPES[kind]), address
            kinds.add(kind)
    return kinds


def test_the_api_is_under_the_path_and_its_addresses_can_be_followed(proxy: Proxy) -> None:
    with client(proxy, headers={"X-API-Key": KEY}) as till:
        for asked in (till.get, till.head):
            assert asked(f"{API}/health/live").status_code == 200
        # A slash, which nginx decodes where it strips.
        sku = f"PLU 40/{next(NUMBERS)}"
        made = till.post(
            f"{ADMIN}/products", json={"sku": sku, "name": "Rye", "category": "bread", "base_price": "4"}
        )
        assert made.status_code == 201, made.text
        assert made.headers["location"].startswith(f"{ADMIN}/products/")
        assert till.get(made.headers["location"]).json()["sku"] == sku
        started = till.post(f"{ADMIN}/discounts/trigger-recompute")
        assert started.status_code == 202, started.text
        assert till.get(started.json()["status_url"]).json()["task_id"] == started.json()["task_id"]
        assert till.get(f"{ADMIN}/stores", headers={"X-API-Key": ""}).status_code == 401
        assert expect_all_found(till, till.get(f"{PATH}/docs").text) == {".css", ".js", ".png"}
        document = till.get(f"{PATH}/openapi.json").json()
        assert document["servers"] == [{"url": PATH}]
        (path,) = [path for path in document["paths"] if path.endswith("/admin/stores")]
        assert till.get(f"{document['servers'][0]['url']}{path}").status_code == 200


def test_the_monitor_is_under_the_path_with_all_that_its_pages_load(proxy: Proxy) -> None:
    with client(proxy) as browser:
        sent_away = browser.get(f"{PATH}/queues?x=1")
        assert (sent_away.status_code, sent_away.headers["location"]) == (
            303,
            f"{PATH}/login?next=%2Fqueues%3Fx%3D1",
        )
        assert expect_all_found(browser, browser.get(f"{PATH}/login").text) >= {".css", ".svg"}
        let_in = browser.post(f"{PATH}/login", data={"key": KEY, "next": "/queues"})
        assert (let_in.status_code, let_in.headers["location"]) == (303, f"{PATH}/queues")
        assert f"Path={PATH}/;" in let_in.headers["set-cookie"]
        assert "Secure" not in let_in.headers["set-cookie"]
        page = browser.get(let_in.headers["location"])
        assert page.status_code == 200
        assert expect_all_found(browser, page.text) >= {".css", ".js"}
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        with connect(
            f"{proxy.address.replace('http', 'ws')}{SOCKET}", additional_headers={"Cookie": cookies}
        ) as socket:
            # The first message of engine.io.
            assert str(socket.recv(timeout=60)).startswith('0{"sid":')
        left = browser.post(f"{PATH}/logout")
        assert (left.status_code, left.headers["location"]) == (303, f"{PATH}/login")
        assert browser.get(f"{PATH}/queues").status_code == 303


def test_a_page_is_ours_only_where_the_proxy_tells_whose_it_is(proxy: Proxy) -> None:
    own, foreign = {"Origin": proxy.address}, {"Origin": "https://elsewhere.example"}
    with client(proxy) as browser:
        answers = [
            browser.post(f"{PATH}/login", data={"key": KEY}, headers=origin) for origin in (own, foreign)
        ]
    assert [answer.status_code for answer in answers] == [303 if proxy.tells else 403, 403]
    if not proxy.tells:
        assert "proxy_set_header Host $http_host;" in answers[0].text


def test_without_any_key_nothing_opens_but_prices_and_health(proxy_of_keyless: Proxy) -> None:
    proxy = proxy_of_keyless
    # The second claims to be a loopback client.
    for claimed in ({}, {"Host": "127.0.0.1", "X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}):
        with client(proxy, headers=claimed) as stranger:
            assert stranger.get(f"{API}/health/live").status_code == 200
            assert stranger.get(f"{API}/products/NONE/price").status_code == 404
            refused = [
                stranger.get(f"{ADMIN}/stores"),
                stranger.post(f"{ADMIN}/discounts/trigger-recompute"),
                stranger.get(f"{ADMIN}/stores", headers={"X-API-Key": KEY}),
            ]
            assert [answer.status_code for answer in refused] == [401, 401, 401]
            assert all("`flexiprice keys create NAME --scope read`" in answer.text for answer in refused)
            assert stranger.get(f"{PATH}/queues").headers["location"].startswith(f"{PATH}/login?next=")
            assert stranger.post(f"{PATH}/login", data={"key": KEY}).status_code == 401
    with pytest.raises(InvalidStatus, match="403"), connect(f"{proxy.address.replace('http', 'ws')}{SOCKET}"):
        pass
