"""Sessions are shared by all monitors, and end for all of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text
from starlette.types import Message, Receive, Scope, Send

from api.monitor import login
from api.monitor.auth.known_sessions import REFRESH_SECONDS
from api.monitor.auth.revocation import CLOSE_DELAY_SECONDS
from api.monitor.auth.sessions import COOKIE
from api.monitor.auth.user import Right, User
from api.monitor.context import MonitorContext
from api.monitor.middleware import SecurityMiddleware
from flexiprice.access.api_keys import create_api_key, revoke_api_key, rotate_api_key
from flexiprice.access.monitor_sessions import (
    end_sessions,
    environment_proof,
    hash_session_id,
    offer_sign_in,
)
from flexiprice.domain.access import Scope as KeyScope
from flexiprice.settings import Settings
from tests.support.monitor import FULL, READ, WithMonitor, client, logged_in, open_monitor, with_session
from tests.support.waiting import until

Open = Callable[..., Any]


@pytest.fixture
def on(settings: Settings) -> Open:
    """Opens a monitor on the test's own servers; any number of them may be open at once."""

    @asynccontextmanager
    async def opened(**differences: Any) -> AsyncIterator[MonitorContext]:
        servers = {"database_url": settings.require_database_url(), "redis_url": settings.require_redis_url()}
        keys = {"api_key": FULL, "monitor_read_key": READ}
        async for monitor, _ in open_monitor(**{**servers, **keys, **differences}):
            yield monitor

    return opened


async def seen(monitor: MonitorContext, session_id: str) -> User | None:
    """The user of a session's id, after a monitor has refreshed its sessions."""
    await monitor.auth.sessions.refresh()
    return await monitor.auth.user_of(with_session(session_id))


async def made(monitor: MonitorContext, *scopes: KeyScope, name: str = "night-shift", **options: Any) -> str:
    """A key that was just made."""
    async with monitor.resources.sessions.begin() as session:
        now = datetime.now(UTC)
        return (await create_api_key(session, name=name, scopes=scopes, now=now, **options)).key


async def execute(monitor: MonitorContext, statement: str) -> Any:
    async with monitor.resources.sessions.begin() as session:
        return await session.execute(text(statement))


async def test_several_monitors_and_a_restarted_one_know_a_session(on: Open) -> None:
    async with on() as one, on() as another:
        user, session_id = await logged_in(one, FULL)
        assert await seen(another, session_id) == user
    async with on() as restarted:
        assert await seen(restarted, session_id) == user


async def test_a_logout_holds_for_every_monitor_and_over_a_restart(on: Open) -> None:
    async with on() as one, on() as another:
        user, session_id = await logged_in(one, FULL)
        assert await seen(another, session_id) is not None
        await one.auth.log_out(user)
        assert await seen(one, session_id) is None
        assert await seen(another, session_id) is None
        assert another.auth.revalidate(user) is None
    async with on() as restarted:
        assert await seen(restarted, session_id) is None


async def test_another_key_in_the_environment_ends_the_sessions_of_the_one_before(on: Open) -> None:
    async with on() as one:
        _, of_full = await logged_in(one, FULL)
        _, of_read = await logged_in(one, READ)
    async with on(api_key="another-key-of-the-monitor") as rekeyed:
        assert await seen(rekeyed, of_full) is None
        assert await seen(rekeyed, of_read) is not None
    async with on(monitor_read_key=None) as without:
        assert await seen(without, of_read) is None


async def test_a_session_has_the_rights_that_its_key_has_by_now_and_ends_with_it(on: Open) -> None:
    async with on() as monitor:
        key = await made(monitor, KeyScope.READ, KeyScope.ADMIN)
        user, session_id = await logged_in(monitor, key)
        assert user.rights == {Right.PRICE, Right.OPERATE}
        await execute(monitor, "UPDATE api_keys SET scopes = ARRAY['read', 'prices']")
        now = await seen(monitor, session_id)
        assert now is not None
        assert now.rights == {Right.PRICE}
        await execute(monitor, "UPDATE api_keys SET scopes = ARRAY['prices']")
        assert await seen(monitor, session_id) is None


@pytest.mark.parametrize("end", ["revoked", "expired", "rotated"])
async def test_a_session_ends_with_its_key_however_that_ends(on: Open, end: str) -> None:
    async with on() as monitor:
        _, session_id = await logged_in(monitor, await made(monitor, KeyScope.READ))
        assert await seen(monitor, session_id) is not None
        async with monitor.resources.sessions.begin() as session:
            match end:
                case "revoked":
                    await revoke_api_key(session, "night-shift", now=datetime.now(UTC))
                case "rotated":
                    await rotate_api_key(session, "night-shift", now=datetime.now(UTC))
                case _:
                    await session.execute(text("UPDATE api_keys SET expires_at = now()"))
        assert await seen(monitor, session_id) is None
        if end == "revoked":
            # Another key that is given the name has nothing to do with it.
            await made(monitor, KeyScope.READ)
            assert await seen(monitor, session_id) is None


async def test_sessions_of_a_rotated_key_end_with_the_overlap(
    on: Open,
) -> None:
    async with on() as monitor:
        old = await made(monitor, KeyScope.READ)
        async with monitor.resources.sessions.begin() as session:
            await rotate_api_key(session, "night-shift", now=datetime.now(UTC), overlap=timedelta(hours=1))
        # Opened after the rotation, and with the old secret all the same.
        _, session_id = await logged_in(monitor, old)
        assert await seen(monitor, session_id) is not None
        await execute(monitor, "UPDATE api_keys SET previous_until = now()")
        assert await seen(monitor, session_id) is None


async def test_a_key_that_may_not_look_opens_no_session(on: Open) -> None:
    async with on() as monitor:
        key = await made(monitor, KeyScope.PRICES, KeyScope.LABELS)
        assert await monitor.auth.log_in(key, address="203.0.113.7") is None


async def test_a_session_ends_when_nobody_uses_it_and_after_a_week_however_much_it_is_used(on: Open) -> None:
    async with on() as monitor:
        _, session_id = await logged_in(monitor, FULL)
        await execute(monitor, "UPDATE monitor_sessions SET seen_at = now() - interval '11 hours'")
        user = await seen(monitor, session_id)
        assert user is not None
        # The use of a session is recorded.
        await monitor.auth.sessions.refresh()
        (left,) = (await execute(monitor, "SELECT now() - seen_at FROM monitor_sessions")).scalars()
        assert left < timedelta(hours=1)
        await execute(monitor, "UPDATE monitor_sessions SET seen_at = now() - interval '13 hours'")
        assert await seen(monitor, session_id) is None
        _, session_id = await logged_in(monitor, FULL)
        await execute(monitor, "UPDATE monitor_sessions SET created_at = now() - interval '7 days'")
        assert await seen(monitor, session_id) is None
        # The next login deletes expired sessions.
        await logged_in(monitor, FULL)
        assert (await execute(monitor, "SELECT count(*) FROM monitor_sessions")).scalar_one() == 1


async def test_an_open_page_alone_is_no_use_of_a_session(on: Open) -> None:
    async with on() as monitor:
        user, _ = await logged_in(monitor, FULL)
        await execute(monitor, "UPDATE monitor_sessions SET seen_at = now() - interval '13 hours'")
        assert monitor.auth.revalidate(user) is not None
        await monitor.auth.sessions.refresh()
        assert monitor.auth.revalidate(user) is None


async def test_database_holds_no_session_id_no_key_and_nothing_to_check_guesses_against(
    on: Open,
) -> None:
    async with on() as monitor:
        _, session_id = await logged_in(monitor, FULL)
        rows = (await execute(monitor, "SELECT monitor_sessions::text FROM monitor_sessions")).scalars().all()
        stored = str(rows)
        for secret in (session_id, FULL, session_id.encode().hex(), FULL.encode().hex()):
            assert secret not in stored
        for guessed in (hash_session_id(FULL).hex(), environment_proof(SecretStr(FULL), "").hex()):
            assert guessed not in stored


async def test_all_sessions_can_be_ended_at_once(on: Open) -> None:
    async with on() as monitor:
        ids = [(await logged_in(monitor, key))[1] for key in (FULL, READ)]
        async with monitor.resources.sessions.begin() as session:
            assert await end_sessions(session) == 2
        assert [await seen(monitor, session_id) for session_id in ids] == [None, None]


async def offered(monitor: MonitorContext, *, key: str = FULL, seconds: int = 60) -> str:
    """The token of an address that signs in."""
    now = datetime.now(UTC)
    async with monitor.resources.sessions.begin() as session:
        until = now + timedelta(seconds=seconds)
        return await offer_sign_in(session, key_name="bootstrap", key=SecretStr(key), now=now, until=until)


async def test_an_address_signs_in_once_and_leads_to_one_without_the_token(on: Open) -> None:
    async with on() as monitor:
        token = await offered(monitor)
        app = WithMonitor(SecurityMiddleware(_login_app()), monitor)
        async with client(app) as browser, client(app) as another:
            # The token itself is no session.
            assert await monitor.auth.user_of(with_session(token)) is None
            answer = await browser.get("/login", params={"token": token})
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            assert answer.headers["cache-control"] == "no-store"
            assert browser.cookies[COOKIE] != token
            assert await seen(monitor, browser.cookies[COOKIE]) is not None
            again = await another.get("/login", params={"token": token})
            assert again.status_code == 401
            assert "flexiprice keys sign-in" in again.text
            assert COOKIE not in another.cookies


@pytest.mark.parametrize(("key", "seconds"), [(FULL, -1), ("the-key-before-this-one", 60)])
async def test_an_address_that_has_ended_or_is_of_another_key_signs_nobody_in(
    on: Open, key: str, seconds: int
) -> None:
    async with on() as monitor:
        token = await offered(monitor, key=key, seconds=seconds)
        assert await monitor.auth.sign_in(token) is None
        assert await monitor.auth.sign_in("another") is None


def _login_app() -> Any:
    app = FastAPI()
    app.include_router(login.router)
    return app


async def chatter(scope: Scope, receive: Receive, send: Send) -> None:
    """A page that never stops sending."""
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        await send({"type": "websocket.send", "text": "news"})
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("end", ["logged out elsewhere", "key revoked"])
async def test_an_open_page_receives_nothing_more_once_its_session_is_over(on: Open, end: str) -> None:
    async with on() as monitor, on() as another:
        key = await made(monitor, KeyScope.READ)
        user, session_id = await logged_in(monitor, key)
        watching = asyncio.create_task(monitor.auth.sessions.refresh_forever())
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "path": "/_nicegui_ws/socket.io/",
            "headers": [(b"host", b"127.0.0.1:5555"), (b"cookie", f"{COOKIE}={session_id}".encode())],
            "client": ("127.0.0.1", 4711),
            "query_string": b"",
        }
        page = asyncio.create_task(WithMonitor(SecurityMiddleware(chatter), monitor)(scope, receive, send))

        async def are_ten() -> bool:
            return len(sent) >= 10

        async def is_closed() -> bool:
            return sent[-1]["type"] == "websocket.close"

        await until(are_ten, 30)
        assert not page.done()
        if end == "key revoked":
            async with another.resources.sessions.begin() as session:
                await revoke_api_key(session, "night-shift", now=datetime.now(UTC))
        else:
            await another.auth.log_out(user)
        await until(is_closed, 60)
        await page
        watching.cancel()
        assert sent[-1]["code"] == 1008
        # The session is looked up, found expired, and cut off; on an idle machine that is all.
        assert 2 * REFRESH_SECONDS + CLOSE_DELAY_SECONDS < 5
