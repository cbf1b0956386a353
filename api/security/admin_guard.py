"""Who may use what is under `/admin`, and the metrics: whoever has a key, and nobody else."""

from collections.abc import Collection
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from fastapi import Security
from fastapi.security import APIKeyHeader, HTTPBearer
from sqlalchemy.exc import DBAPIError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from api.problems import ProblemResponse, problem_of
from api.security.authentication import KeyAuthenticator
from api.security.scopes import set_holder, set_useless_key
from api.urls import route_path
from flexiprice.access.key_ring import KeyHolder, UselessKey
from flexiprice.domain.access import KeyFault, Scope
from flexiprice.errors import FlexiPriceError

# What proxies add. It never lets anybody in; it only shows that the peer is not the client.
_FORWARDING: Final = ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip")
_KEY_REQUIRED: Final = (
    "send an API key as `Authorization: Bearer …` or `X-API-Key`; on the server, "
    "`flexiprice keys create NAME --scope read` makes one, or set FLEXIPRICE_API_KEY "
    "(`openssl rand -hex 24` makes a good one)"
)
_ONE_KEY: Final = "send one API key: this request has two different ones, and none of them was looked at"
LOOPBACK: Final = KeyHolder("loopback client", (Scope.ADMIN,))
"""Who acts without a key, on the server's own machine, where `FLEXIPRICE_OPEN_LOOPBACK` allows it."""
LOOPBACK_IS_OPEN: Final = (
    "FLEXIPRICE_OPEN_LOOPBACK is set: whoever reaches this from 127.0.0.1 is an administrator without a key; "
    "for development only, and never behind a proxy"
)

# Only so that the documentation knows of keys; `KeyGuard` is what asks for them.
_HOW_A_KEY_COMES: Final = "`FLEXIPRICE_API_KEY`, or a key made by `flexiprice keys create`"
key_documentation: Final = [
    Security(HTTPBearer(auto_error=False, description=_HOW_A_KEY_COMES)),
    Security(APIKeyHeader(name="X-API-Key", auto_error=False, description=_HOW_A_KEY_COMES)),
]


class KeyGuard:
    """Refuses requests under some paths before anything else looks at them, whether a route exists or not.

    The application's state has the `key_check` that it asks.
    """

    def __init__(self, app: ASGIApp, *, prefixes: Collection[str], open_loopback: bool) -> None:
        """Guards what is under the prefixes; `open_loopback` serves this machine without a key."""
        self._app = app
        self._prefixes = prefixes
        self._open_loopback = open_loopback

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Handles one request, as ASGI has it."""
        if scope["type"] == "http" and self._guards(scope):
            refusal = await self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _guards(self, scope: AsgiScope) -> bool:
        path = route_path(scope)
        return any(path == prefix or path.startswith(f"{prefix}/") for prefix in self._prefixes)

    async def _refusal(self, scope: AsgiScope) -> ProblemResponse | None:
        keys = _keys_in(Headers(scope=scope))
        if len(keys) > 1:
            return ProblemResponse(400, "bad_request", _ONE_KEY)
        if not keys:
            if self._open_loopback and is_from_this_machine(scope):
                set_holder(scope, LOOPBACK)
                return None
            return _unauthorized(scope, UselessKey(KeyFault.MISSING))
        key_check: KeyAuthenticator = scope["app"].state.key_check
        presented = keys.pop()
        try:
            holder = await key_check.holder_of(presented, address=address_of(scope))
        except (FlexiPriceError, DBAPIError) as error:
            problem = problem_of(error)
            if problem is None:
                raise
            return problem
        if holder is None:
            return _unauthorized(scope, key_check.explain(presented))
        set_holder(scope, holder)
        return None


def _unauthorized(scope: AsgiScope, why: UselessKey | KeyHolder) -> ProblemResponse:
    # The client is told the same whatever it is, so that nobody learns of keys by trying.
    if isinstance(why, UselessKey):
        set_useless_key(scope, why)
    return ProblemResponse(401, "unauthorized", _KEY_REQUIRED, headers={"WWW-Authenticate": "Bearer"})


def _keys_in(headers: Headers) -> set[str]:
    keys = headers.getlist("x-api-key")
    for value in headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            keys.append(token.strip())
    # Headers were decoded as Latin-1; the key's own bytes are UTF-8. An empty one is none, and no guess.
    return {key.encode("latin-1").decode(errors="surrogateescape") for key in keys if key}


def address_of(scope: AsgiScope) -> str:
    """The client's address, as wrong keys are counted by it; of a trusted proxy's client, that one's."""
    client: tuple[str, int] | None = scope.get("client")
    return client[0] if client else ""


def is_from_this_machine(scope: AsgiScope) -> bool:
    """Whether a request or web socket comes from this machine, by no proxy and no page of another site."""
    headers = Headers(scope=scope)
    return (
        _names_loopback(address_of(scope))
        and not any(name in _FORWARDING or name.startswith("x-forwarded-") for name in headers)
        and _is_own_page(headers)
    )


def _names_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback


def _is_own_page(headers: Headers) -> bool:
    # A browser on this machine is a loopback client too, whatever page it shows. A foreign name that was
    # made to point at this machine shows in Host, a foreign page in Origin.
    places = [f"//{headers.get('host', '')}", *headers.getlist("origin")]
    return headers.get("sec-fetch-site") != "cross-site" and all(map(_is_loopback_place, places))


def _is_loopback_place(place: str) -> bool:
    try:
        return _names_loopback(urlsplit(place).hostname or "")
    except ValueError:
        return False
