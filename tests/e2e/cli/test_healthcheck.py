"""`flexiprice healthcheck` finds a program on either family of addresses."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6

import pytest

from flexiprice.cli.serve.healthcheck import listening_host


class _Alive(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


@contextmanager
def listening(host: str) -> Iterator[int]:
    family = AF_INET6 if ":" in host else AF_INET
    server = type("Server", (ThreadingHTTPServer,), {"address_family": family})((host, 0), _Alive)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("program", ["api", "monitor"])
def test_a_program_is_found_on_either_family(command, host, program):
    with listening(host) as port:
        result = command("healthcheck", program, "--port", str(port))
    assert result.exit_code == 0, result.output


def test_the_address_is_that_of_the_command_line():
    assert listening_host(["flexiprice", "api", "--host", "10.0.0.7"]) == "10.0.0.7"
    assert listening_host(["flexiprice", "api", "--host=::"]) is None
    assert listening_host(["flexiprice", "api"]) is None
