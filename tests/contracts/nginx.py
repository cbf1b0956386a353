"""Debian's nginx before FlexiPrice, as the manual sets it up."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from signal import SIGTERM
from socket import create_connection

import flexiprice
from flexiprice.embedded.child_process import ServerProcess, free_port
from tests.contracts.programs import Programs

NGINX = Path("/usr/sbin/nginx")
PAGE = Path(flexiprice.__file__).parent / "docs" / "operate" / "security.md"
_BLOCK = re.compile(r"^```nginx\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LOCATION = re.compile(r"^ *location .*\n", re.MULTILINE)
# A plain `proxy_pass` adds none of them, and says that its own address is the host.
_TELLING = re.compile(r"^ *proxy_set_header (?:Host|X-Forwarded-\S+) .*\n", re.MULTILINE)
_AROUND = """
worker_processes 1;
pid nginx.pid;
{account}
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{block}
}}
"""


class Prefix(StrEnum):
    """The way in which nginx passes the prefix on."""

    PASSED_ON = "passed-on"
    STRIPPED = "stripped"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running nginx.

    Attributes:
        address: where it listens.
        tells: whether it sends the headers of host and client.
    """

    address: str
    tells: bool


def documented_configuration(prefix: Prefix, *, tells: bool) -> str:
    """The manual's configuration for one way with the prefix, with or without the headers."""
    whole, stripping = _BLOCK.findall(PAGE.read_text())
    passing = "".join(_LOCATION.findall(whole))
    assert passing in whole
    assert passing.count("location") == stripping.count("location") == 4
    text = whole if prefix is Prefix.PASSED_ON else whole.replace(passing, stripping)
    return text if tells else _TELLING.sub("", text)


@contextmanager
def nginx_before(programs: Programs, folder: Path, prefix: Prefix, *, tells: bool) -> Iterator[Proxy]:
    """Runs nginx while the context lasts."""
    folder.mkdir()
    port = free_port(folder / "port")
    block = documented_configuration(prefix, tells=tells)
    for usual, ours in {
        "listen 80;": f"listen 127.0.0.1:{port};",
        "http://127.0.0.1:8000": programs.api,
        "http://127.0.0.1:5555": programs.monitor,
    }.items():
        assert usual in block
        block = block.replace(usual, ours)
    configuration = folder / "nginx.conf"
    # Its workers may otherwise not enter the folder of the test.
    account = "user root root;" if os.geteuid() == 0 else ""
    configuration.write_text(_AROUND.format(account=account, block=block))
    nginx = ServerProcess(
        "nginx",
        [str(NGINX), "-p", str(folder), "-c", str(configuration), "-e", "stderr", "-g", "daemon off;"],
        folder=folder,
        log=folder / "nginx.log",
        stop_signals=(SIGTERM,),
    )

    def listens() -> bool:
        try:
            create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return False
        return True

    try:
        nginx.wait_until(listens)
        yield Proxy(f"http://127.0.0.1:{port}", tells)
    finally:
        nginx.stop()
