"""Detects unencoded characters in a URL that would end its user or password early."""

import re
from typing import Final

# Hosts with their ports, separated by commas.
_HOSTS: Final = re.compile(r"(?:(?:\[[0-9A-Fa-f:.]+\]|[^:\[\],@\s]+)(?::[0-9]{1,5})?(?:,|$))+", re.ASCII)
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
ENCODING: Final = "in user, password and options, #, /, ?, @ and % must be written %23, %2F, %3F, %40 and %25"


def require_encoded_credentials(url: str, *, has_host: bool = True) -> None:
    """Checks that no character ends user or password early, as `#` does in `user:sec#ret@host`.

    Args:
        url: URL with its scheme.
        has_host: whether a host follows user and password, rather than a path.

    Raises:
        ValueError: a character must be encoded. The message contains no part of the URL.
    """
    rest = url.partition("://")[2]
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    user_info, at_sign, hosts = authority.rpartition("@")
    beyond = rest[len(authority) :]
    is_odd = bool(hosts and not _HOSTS.fullmatch(hosts)) if has_host else bool(hosts)
    is_cut = not at_sign and "@" in beyond and (has_host or "@" in beyond.partition("?")[2])
    if is_odd or is_cut or "#" in rest or set("@[]") & set(user_info) or _BROKEN_ESCAPE.search(rest):
        raise ValueError(f"cannot be read as a URL: {ENCODING}")
