"""Access to the monitor: sign-in, sessions, rights, loopback."""

import hmac
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
from itsdangerous import URLSafeTimedSerializer
from starlette.types import ASGIApp, Message

from api.monitor.auth.sessions import COOKIE
from api.monitor.auth.user import Right, User
from api.monitor.context import MonitorContext
from api.monitor.middleware import HEADERS
from flexiprice.domain.access import Scope as KeyScope
from tests.support.monitor import A_PAGE_ELSEWHERE, FULL, READ, client, logged_in, open_monitor, with_session


@pytest.fixture
async def with_keys() -> AsyncIterator[tuple[MonitorContext, ASGIApp]]:
    async for opened in open_monitor(api_key=FULL, monitor_read_key=READ):
        yield opened


@pytest.fixture
async def without_keys() -> AsyncIterator[tuple[MonitorContext, ASGIApp]]:
    async for opened in open_monitor():
        yield opened


async def messages_of(app: ASGIApp, headers: dict[str, str]) -> list[str]:
    """The messages that a web socket receives."""
    answered: list[str] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        answered.append(message["type"])

    fields = {"host": "127.0.0.1:5555", **headers}
    scope = {
        "type": "websocket",
        "path": "/_nicegui_ws/",
        "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        "client": ("127.0.0.1", 4711),
        "query_string": b"",
        "subprotocols": [],
        "scheme": "ws",
        "app": app,
    }
    await app(scope, receive, send)
    return answered


async def test_monitor_without_keys_lets_nobody_in(without_keys: Any) -> None:
    _, app = without_keys
    async with client(app) as local:
        answer = await local.get("/tasks")
        assert answer.headers["location"] == "/login?next=%2Ftasks"
        assert answer.headers.items() >= {name.lower(): value for name, value in HEADERS.items()}.items()
        assert (await local.post("/tasks")).status_code == 401


@pytest.fixture
async def open_to_loopback() -> AsyncIterator[tuple[MonitorContext, ASGIApp]]:
    async for opened in open_monitor(open_loopback=True):
        yield opened


async def test_open_loopback_setting_serves_this_machine_with_all_rights(open_to_loopback: Any) -> None:
    _, app = open_to_loopback
    async with client(app) as local:
        assert (await local.get("/tasks")).text == "the page"


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("203.0.113.5", {}),
        ("127.0.0.1", {"x-forwarded-for": "203.0.113.5"}),
        ("127.0.0.1", {"x-forwarded-proto": "https"}),
        ("127.0.0.1", {"host": "rebound.example:5555"}),
        ("127.0.0.1", {"sec-fetch-site": "cross-site"}),
    ],
)
async def test_open_loopback_setting_serves_no_other_machine(
    open_to_loopback: Any, address: str, headers: dict[str, str]
) -> None:
    _, app = open_to_loopback
    async with client(app, address) as other:
        answer = await other.get("/tasks", headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Ftasks")


async def test_a_page_leads_to_the_login_and_everything_else_is_refused(with_keys: Any) -> None:
    _, app = with_keys
    async with client(app) as stranger:
        page = await stranger.get("/tasks", params={"status": "failed"})
        assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Ftasks%3Fstatus%3Dfailed")
        assert (await stranger.post("/tasks")).status_code == 401
        assert (await stranger.get("/_nicegui/3/static/nicegui.js")).status_code == 401
        assert (await stranger.get("/login")).status_code == 200


async def test_a_login_leads_on_and_keeps_only_an_id(with_keys: Any) -> None:
    _, app = with_keys
    async with client(app) as user:
        answer = await user.post("/login", data={"key": f" {FULL} ", "next": "/tasks"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/tasks")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Secure" not in cookie
        assert re.fullmatch(r"[\w-]{43}", user.cookies[COOKIE])
        assert (await user.get("/tasks")).text == "the page"
        await user.post("/logout")
        assert (await user.get("/tasks")).status_code == 303


async def test_over_tls_the_cookie_is_never_sent_without(with_keys: Any) -> None:
    _, app = with_keys
    async with client(app) as user:
        answer = await user.post("https://127.0.0.1/login", data={"key": FULL})
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "place", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere", "/login", ""]
)
async def test_a_login_leads_to_no_other_site(with_keys: Any, place: str) -> None:
    _, app = with_keys
    async with client(app) as user:
        answer = await user.post("/login", data={"key": FULL, "next": place})
    assert answer.headers["location"] == "/"


async def test_a_page_elsewhere_can_neither_log_in_nor_change_anything(with_keys: Any) -> None:
    _, app = with_keys
    async with client(app, headers=A_PAGE_ELSEWHERE) as foreign:
        assert (await foreign.post("/login", data={"key": FULL})).status_code == 403
        assert (await foreign.post("/tasks")).status_code == 403


async def test_address_with_too_many_wrong_keys_has_to_wait_and_no_other(with_keys: Any) -> None:
    _, app = with_keys
    async with client(app, "203.0.113.5") as guesser, client(app, "203.0.113.6") as other:
        answers = [await guesser.post("/login", data={"key": "wrong"}) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert int(answers[3].headers["retry-after"]) > 50
        assert (await guesser.post("/login", data={"key": FULL})).status_code == 429
        assert (await other.post("/login", data={"key": FULL})).status_code == 303


async def test_stored_key_does_not_count_as_wrong_while_the_database_is_away(with_keys: Any) -> None:
    _, app = with_keys
    async with client(app) as user:
        answer = await user.post("/login", data={"key": f"fp_{'0' * 12}_{'0' * 48}"})
    assert answer.status_code == 503
    assert "PostgreSQL does not answer" in answer.text


async def test_a_web_socket_needs_a_login_and_a_page_of_ours(with_keys: Any) -> None:
    monitor, app = with_keys
    _, session_id = await logged_in(monitor, FULL)
    cookie = {"cookie": f"{COOKIE}={session_id}"}
    assert await messages_of(app, {}) == ["websocket.close"]
    assert await messages_of(app, cookie) == ["websocket.accept", "websocket.send", "websocket.close"]
    assert await messages_of(app, {**cookie, "origin": "http://127.0.0.1:5555"}) != ["websocket.close"]
    for foreign in (A_PAGE_ELSEWHERE, {"origin": "null"}, {"origin": "http://[broken"}, {"origin": ""}):
        assert await messages_of(app, {**cookie, **foreign}) == ["websocket.close"], foreign


async def test_session_has_the_rights_of_its_keys_scopes(with_keys: Any) -> None:
    monitor, _ = with_keys
    assert (await logged_in(monitor, FULL))[0].rights == {Right.PRICE, Right.OPERATE}
    assert (await logged_in(monitor, READ))[0].rights == set()
    pricing = User.of("till", [KeyScope.READ, KeyScope.PRICES], b"a-session")
    assert (pricing.may_price, pricing.may_operate) == (True, False)


async def test_the_holder_of_a_key_can_make_no_session_by_themselves(with_keys: Any) -> None:
    monitor, app = with_keys
    for made_up in (READ, FULL, "x" * 43, "bootstrap", ""):
        assert await monitor.auth.user_of(with_session(made_up)) is None
    # Earlier versions signed cookies with the keys, which every holder of the read key knew.
    secret = hmac.new(READ.encode(), b"flexiprice monitor session", sha256).hexdigest()
    forged = URLSafeTimedSerializer(secret, salt="session").dumps(["a-session", "bootstrap"])
    async with client(app, cookies={COOKIE: str(forged)}) as forger:
        assert (await forger.get("/tasks")).status_code == 303


async def test_environments_keys_open_sessions_while_postgresql_is_away(with_keys: Any) -> None:
    monitor, _ = with_keys
    user, session_id = await logged_in(monitor, READ)
    await monitor.auth.sessions.refresh()
    assert await monitor.auth.user_of(with_session(session_id)) == user
    await monitor.auth.log_out(user)
    assert await monitor.auth.user_of(with_session(session_id)) is None


async def test_login_page_runs_no_script(with_keys: Any) -> None:
    _, app = with_keys
    async with client(app) as stranger:
        for answer in (await stranger.get("/login"), await stranger.post("/login", data={"key": "wrong"})):
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script-src" not in policy
            assert "<script" not in answer.text


@pytest.mark.parametrize(
    ("key", "headers", "status"),
    [
        (READ, {"content-length": "10"}, 403),
        (FULL, {"content-length": str(1 << 40)}, 413),
        (FULL, {"transfer-encoding": "chunked"}, 411),
        # The page's own route would answer; there is none here.
        (FULL, {"content-length": "0"}, 404),
    ],
    ids=["may not import", "too long", "of unknown length", "taken"],
)
async def test_an_upload_is_refused_before_its_body_is_read(
    with_keys: Any, key: str, headers: dict[str, str], status: int
) -> None:
    monitor, app = with_keys
    _, session_id = await logged_in(monitor, key)

    async def unread() -> AsyncIterator[bytes]:
        if status != 404:
            raise AssertionError("the body is read")
        yield b""

    async with client(app, cookies={COOKIE: session_id}) as browser:
        answer = await browser.post("/_nicegui/client/a-page/upload/7", headers=headers, content=unread())
    assert answer.status_code == status
