"""Characters that end a user or a password early where they stand in a URL as they are."""

import re
from typing import Final

# What a URL names between user and path: hosts with their ports, by comma.
_HOSTS: Final = re.compile(r"(?:(?:\[[0-9A-Fa-f:.]+\]|[^:\[\],@\s]+)(?::[0-9]{1,5})?(?:,|$))+", re.ASCII)
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
ENCODING: Final = "in user, password and options, #, /, ?, @ and % must be written %23, %2F, %3F, %40 and %25"


def require_encoded_credentials(url: str, *, has_host: bool = True) -> None:
    """Makes sure that no character of user or password ends them early, as `#` in `user:sec#ret@host` does.

    Args:
        url: with its scheme.
        has_host: whether a host follows user and password; a path follows at once where none does.

    Raises:
        ValueError: one does; the message tells no part of the URL.
    """
    rest = url.partition("://")[2]
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    user_info, at_sign, hosts = authority.rpartition("@")
    beyond = rest[len(authority) :]
    is_odd = bool(hosts and not _HOSTS.fullmatch(hosts)) if has_host else bool(hosts)
    is_cut = not at_sign and "@" in beyond and (has_host or "@" in beyond.partition("?")[2])
    if is_odd or is_cut or "#" in rest or set("@[]") & set(user_info) or _BROKEN_ESCAPE.search(rest):
        raise ValueError(f"cannot be read as a URL: {ENCODING}")
