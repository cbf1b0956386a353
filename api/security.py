"""Who may use what is under `/admin`: whoever has a key, or, where there is none, this machine."""

from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from fastapi import Security
from fastapi.security import APIKeyHeader, HTTPBearer
from sqlalchemy.exc import DBAPIError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.failed_keys import FailedKeys
from api.key_check import KeyCheck
from api.problems import ProblemResponse, problem_of
from api.scopes import set_holder
from flexiprice.errors import FlexiPriceError

# What a proxy adds. It never lets anybody in; it only shows that the peer is not the client.
_FORWARDING_HEADERS: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_HOW_TO_SET_A_KEY: Final = (
    "no API key is set, so only clients on the server's own machine are served here; to serve others, "
    "set FLEXIPRICE_API_KEY (`openssl rand -hex 24` makes a good one) on the server, or make a key by "
    "`flexiprice keys create`, and send it as `Authorization: Bearer …` or `X-API-Key`"
)
_KEY_REQUIRED: Final = "send an API key as `Authorization: Bearer …` or `X-API-Key`"
_CROSS_SITE: Final = "a page of another site may not use this; set FLEXIPRICE_API_KEY and send it instead"

_TOO_MANY: Final = "too many wrong keys came from this address; no key of it is looked at for a while"
# Two headers, and an old key beside a new one.
_MOST_KEYS: Final = 4

# Only so that the documentation knows of keys; `AdminGuard` is what asks for them.
_HOW_A_KEY_COMES: Final = "`FLEXIPRICE_API_KEY`, or a key made by `flexiprice keys create`"
key_documentation: Final = [
    Security(HTTPBearer(auto_error=False, description=_HOW_A_KEY_COMES)),
    Security(APIKeyHeader(name="X-API-Key", auto_error=False, description=_HOW_A_KEY_COMES)),
]


class AdminGuard:
    """Refuses requests under a path before anything else looks at them, whether a route exists or not.

    The application's state has the `key_check` and the `failed_keys` that it asks.
    """

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, as ASGI has it."""
        if scope["type"] == "http" and self._guards(scope):
            refusal = await _refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _guards(self, scope: Scope) -> bool:
        path = str(scope["path"]).removeprefix(str(scope.get("root_path", "")))
        return path == self._prefix or path.startswith(f"{self._prefix}/")


async def _refusal(scope: Scope) -> ProblemResponse | None:
    key_check: KeyCheck = scope["app"].state.key_check
    failed_keys: FailedKeys = scope["app"].state.failed_keys
    headers = Headers(scope=scope)
    presented = _keys_in(headers)
    client: tuple[str, int] | None = scope.get("client")
    address = client[0] if client else ""
    if presented and (seconds := failed_keys.seconds_to_wait(address)):
        return ProblemResponse(429, "too_many_requests", _TOO_MANY, headers={"Retry-After": str(seconds)})
    try:
        for key in presented:
            holder = await key_check.holder_of(key)
            if holder is not None:
                set_holder(scope, holder)
                return None
        key_needed = await key_check.is_key_needed()
    except (FlexiPriceError, DBAPIError) as error:
        problem = problem_of(error)
        if problem is None:
            raise
        return problem
    if key_needed:
        if presented:
            await failed_keys.note(address)
        return _unauthorized(_KEY_REQUIRED)
    if not is_from_this_machine(scope):
        return _unauthorized(_HOW_TO_SET_A_KEY)
    # A browser on this machine is a loopback client too, whatever page it shows.
    return None if is_own_page(headers) else _unauthorized(_CROSS_SITE)


def _unauthorized(detail: str) -> ProblemResponse:
    return ProblemResponse(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


def _keys_in(headers: Headers) -> list[str]:
    keys = headers.getlist("x-api-key")
    for value in headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            keys.append(token.strip())
    # Headers were decoded as Latin-1; the key's own bytes are UTF-8. An empty one is none, and no guess.
    return [key.encode("latin-1").decode(errors="surrogateescape") for key in keys[:_MOST_KEYS] if key]


def is_from_this_machine(scope: Scope) -> bool:
    """Whether a request or web socket comes from this machine itself, and through no proxy."""
    client: tuple[str, int] | None = scope.get("client")
    headers = Headers(scope=scope)
    return (
        client is not None
        and _names_loopback(client[0])
        and not any(name in headers for name in _FORWARDING_HEADERS)
    )


def _names_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback


def is_own_page(headers: Headers) -> bool:
    """Whether what asks is on this machine by its name too: no page of another site, under any name."""
    # A foreign name that was made to point at this machine shows in Host, a foreign page in Origin.
    places = [f"//{headers.get('host', '')}", *headers.getlist("origin")]
    return headers.get("sec-fetch-site") != "cross-site" and all(map(_is_loopback_place, places))


def _is_loopback_place(place: str) -> bool:
    try:
        return _names_loopback(urlsplit(place).hostname or "")
    except ValueError:
        return False
