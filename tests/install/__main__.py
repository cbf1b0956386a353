"""`python -m tests.install [containers|server]`."""

import argparse
import sys
from pathlib import Path

from flexiprice.cli.serve.process_group import ended_by_signals
from tests.install.containers import walk_through_containers
from tests.install.engine import Engine
from tests.install.server import walk_through_server
from tests.install.steps import Failed, step
from tests.support.readme import page

ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.install")
    parser.add_argument("what", nargs="*", choices=["containers", "server", []], default=[])
    parser.add_argument(
        "--page", type=Path, default=page("operate/install-systemd"), help="whose steps are followed"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("/var/tmp/flexiprice-walkthrough"),
        help="where images are kept for the next time; may be removed",
    )
    parser.add_argument("--debian", choices=["bookworm", "trixie"], default="bookworm", help="the server's")
    chosen = parser.parse_args()
    server = f"{chosen.debian}-server"
    try:
        with ended_by_signals(), Engine(chosen.folder) as engine:
            with step("Make an image of a bare Debian, and one of a Debian with systemd"):
                engine.make_debian("trixie", "debian:trixie-slim", slim=True)
                engine.make_debian(chosen.debian, server, "dbus", "systemd", "systemd-sysv")
            if chosen.what in ([], ["containers"]):
                walk_through_containers(engine, ROOT)
            if chosen.what in ([], ["server"]):
                walk_through_server(engine, ROOT, chosen.page, server)
    except Failed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
