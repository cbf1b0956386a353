"""Who may use what is under `/admin`: whoever has the key, or, where there is none, this machine."""

import hmac
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from fastapi import Security
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import ProblemResponse

# What a proxy adds. It never lets anybody in; it only shows that the peer is not the client.
_FORWARDING_HEADERS: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_HOW_TO_SET_A_KEY: Final = (
    "no API key is set, so only clients on the server's own machine are served here; to serve others, "
    "set FLEXIPRICE_API_KEY (`openssl rand -hex 24` makes a good one) on the server, "
    "and send it as `Authorization: Bearer …` or `X-API-Key`"
)
_KEY_REQUIRED: Final = "send the API key as `Authorization: Bearer …` or `X-API-Key`"
_CROSS_SITE: Final = "a page of another site may not use this; set FLEXIPRICE_API_KEY and send it instead"

# Only so that the documentation knows of the key; `AdminGuard` is what asks for it.
key_documentation: Final = [
    Security(HTTPBearer(auto_error=False, description="`FLEXIPRICE_API_KEY`")),
    Security(APIKeyHeader(name="X-API-Key", auto_error=False, description="`FLEXIPRICE_API_KEY`")),
]


class AdminGuard:
    """Refuses requests under a path before anything else looks at them, whether a route exists or not."""

    def __init__(self, app: ASGIApp, *, prefix: str, api_key: SecretStr | None) -> None:
        self._app = app
        self._prefix = prefix
        self._digest = _digest(api_key.get_secret_value().encode()) if api_key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, as ASGI has it."""
        if scope["type"] == "http" and self._guards(scope):
            refusal = self._refusal(scope)
            if refusal is not None:
                headers = {"WWW-Authenticate": "Bearer"}
                response = ProblemResponse(401, "unauthorized", refusal, headers=headers)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _guards(self, scope: Scope) -> bool:
        path = str(scope["path"]).removeprefix(str(scope.get("root_path", "")))
        return path == self._prefix or path.startswith(f"{self._prefix}/")

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        if self._digest is not None:
            offered = [_digest(key) for key in _keys_in(headers)]
            return None if any(hmac.compare_digest(self._digest, key) for key in offered) else _KEY_REQUIRED
        if not is_from_this_machine(scope):
            return _HOW_TO_SET_A_KEY
        # A browser on this machine is a loopback client too, whatever page it shows.
        return None if is_own_page(headers) else _CROSS_SITE


def _digest(key: bytes) -> bytes:
    # Digests are of one length, so that comparing them does not even tell the length of the key.
    return sha256(key).digest()


def _keys_in(headers: Headers) -> list[bytes]:
    keys = headers.getlist("x-api-key")
    for value in headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            keys.append(token.strip())
    # Headers were decoded as Latin-1; the key's own bytes are UTF-8.
    return [key.encode("latin-1") for key in keys]


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
