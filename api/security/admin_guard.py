"""Middleware that requires an API key for `/admin` and the metrics."""

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
from api.security.scopes import set_holder, set_rejected_key
from api.urls import route_path
from flexiprice.access.key_ring import KeyHolder, RejectedKey
from flexiprice.domain.access import KeyFault, Scope
from flexiprice.errors import FlexiPriceError

# Headers that proxies add. They show that the peer is not the client, and never grant access.
_FORWARDING: Final = ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip")
_KEY_REQUIRED: Final = (
    "send an API key as `Authorization: Bearer …` or `X-API-Key`; on the server, "
    "`flexiprice keys create NAME --scope read` makes one, or set FLEXIPRICE_API_KEY "
    "(`openssl rand -hex 24` makes a good one)"
)
_ONE_KEY: Final = "send one API key: this request has two different ones, and neither was checked"
LOOPBACK: Final = KeyHolder("loopback client", (Scope.ADMIN,))
"""Holder of requests from this machine without a key, if `FLEXIPRICE_OPEN_LOOPBACK` is set."""
LOOPBACK_IS_OPEN: Final = (
    "FLEXIPRICE_OPEN_LOOPBACK is set: any client on 127.0.0.1 is an administrator without a key; "
    "for development only, and never behind a proxy"
)

# Only for the documentation; `KeyGuard` checks the keys.
_KEY_DESCRIPTION: Final = "`FLEXIPRICE_API_KEY`, or a key made by `flexiprice keys create`"
key_documentation: Final = [
    Security(HTTPBearer(auto_error=False, description=_KEY_DESCRIPTION)),
    Security(APIKeyHeader(name="X-API-Key", auto_error=False, description=_KEY_DESCRIPTION)),
]


class KeyGuard:
    """Rejects requests without a valid key under some paths, before routing, even if no route exists.

    Reads the `KeyAuthenticator` from `key_authenticator` of the application's state.
    """

    def __init__(self, app: ASGIApp, *, prefixes: Collection[str], open_loopback: bool) -> None:
        """Guards paths under the prefixes; `open_loopback` admits this machine without a key."""
        self._app = app
        self._prefixes = prefixes
        self._open_loopback = open_loopback

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Handles one ASGI request."""
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
            return _unauthorized(scope, RejectedKey(KeyFault.MISSING))
        key_authenticator: KeyAuthenticator = scope["app"].state.key_authenticator
        presented = keys.pop()
        try:
            holder = await key_authenticator.holder_of(presented, address=address_of(scope))
        except (FlexiPriceError, DBAPIError) as error:
            problem = problem_of(error)
            if problem is None:
                raise
            return problem
        if holder is None:
            return _unauthorized(scope, key_authenticator.explain(presented))
        set_holder(scope, holder)
        return None


def _unauthorized(scope: AsgiScope, why: RejectedKey | KeyHolder) -> ProblemResponse:
    # The client is told the same whatever it is, so that nobody learns of keys by trying.
    if isinstance(why, RejectedKey):
        set_rejected_key(scope, why)
    return ProblemResponse(401, "unauthorized", _KEY_REQUIRED, headers={"WWW-Authenticate": "Bearer"})


def _keys_in(headers: Headers) -> set[str]:
    keys = headers.getlist("x-api-key")
    for value in headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            keys.append(token.strip())
    # Headers were decoded as Latin-1; keys are UTF-8. An empty key is not counted as a wrong one.
    return {key.encode("latin-1").decode(errors="surrogateescape") for key in keys if key}


def address_of(scope: AsgiScope) -> str:
    """Returns the client's address, by which wrong keys are counted; behind a trusted proxy, its client's."""
    client: tuple[str, int] | None = scope.get("client")
    return client[0] if client else ""


def is_from_this_machine(scope: AsgiScope) -> bool:
    """Whether a request or web socket comes from this machine, without a proxy or a page of another site."""
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
    # A browser on this machine is a loopback client for every page that it shows. DNS rebinding shows in
    # Host, a page of another site in Origin.
    urls = [f"//{headers.get('host', '')}", *headers.getlist("origin")]
    return headers.get("sec-fetch-site") != "cross-site" and all(map(_has_loopback_host, urls))


def _has_loopback_host(url: str) -> bool:
    try:
        return _names_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
