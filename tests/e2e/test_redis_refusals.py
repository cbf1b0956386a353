"""A Redis that denies a right, or is of the wrong kind: each program says in one sentence what to change."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis

from api.monitor.state.snapshot import read_broker_snapshot
from flexiprice.embedded.binaries import valkey_program
from flexiprice.embedded.child_process import free_port
from flexiprice.errors import InvalidSettings
from flexiprice.queue.admin.broker_info import read_broker_info
from flexiprice.queue.broker import open_job_broker
from flexiprice.queue.redis.clock import ServerClock
from flexiprice.settings import Settings, load_settings
from tests.support.api_server import serve
from tests.support.catalogue import ADMIN, activate_policy, create_batch, create_product
from tests.support.processes import flexiprice, wait_for
from tests.support.redis_servers import RedisServers, redis_servers, until_answering
from tests.support.waiting import until
from tests.support.workers import until_live

PROGRAMS = {"valkey": str(valkey_program()), "redis": shutil.which("redis-server")}
# As `operate/security.md` has it.
RIGHTS = (
    *("on", ">pw", "resetkeys", "~arq:*", "~flexiprice:*", "resetchannels", "&arq:*", "&flexiprice:*"),
    *("+@all", "-@dangerous", "-@admin"),
)
KEY = "the-key-of-the-environment"
CLUSTER = "this Redis runs in cluster mode, which FlexiPrice does not support"


@pytest.fixture(params=PROGRAMS)
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServers]:
    """Starts servers of one kind."""
    program = PROGRAMS[request.param]
    if program is None:
        pytest.skip("needs redis-server: apt-get install redis-server")
    with redis_servers(tmp_path, program=program) as servers:
        yield servers


def start_redis(servers: RedisServers, *options: str) -> int:
    """Starts a server; returns its port."""
    port = free_port(servers.folder / "port")
    servers.start("--port", str(port), "--save", "", *options)
    with redis.Redis(port=port) as client:
        assert wait_for(lambda: answers(client))
    return port


def answers(client: "redis.Redis") -> bool:
    try:
        client.execute_command("HELLO")
    except redis.ConnectionError:
        return False
    return True


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Start]:
    """Starts a command on the test's own database; what still runs is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def begin(redis_url: str, *command: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "FLEXIPRICE_DATABASE_URL": database_url,
            "FLEXIPRICE_REDIS_URL": redis_url,
            "FLEXIPRICE_API_KEY": KEY,
            "FLEXIPRICE_LOG_FORMAT": "json",
        }
        program = subprocess.Popen(
            list(command),
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(program)
        return program

    yield begin
    for program in started:
        program.kill()
        program.communicate(timeout=10)


def programs(tmp_path: Path) -> dict[str, list[str]]:
    """Everything that starts and works with Redis."""
    port = str(free_port(tmp_path / "served"))
    return {
        "worker": [sys.executable, "-m", "arq", "workers.settings.WorkerSettings"],
        "supervised worker": flexiprice("worker"),
        "api": flexiprice("api", "--port", port),
        "monitor": flexiprice("monitor", "--port", port),
        "doctor": flexiprice("doctor"),
        "queues": flexiprice("queues"),
        "run": flexiprice("run", "recompute_all_discounts"),
        "stats": flexiprice("stats"),
    }


def refusals(start: Start, url: str, tmp_path: Path, *names: str) -> dict[str, str]:
    """The outputs of programs that must end by themselves, with an exit code and without a traceback."""
    told: dict[str, str] = {}
    for name, command in programs(tmp_path).items():
        if names and name not in names:
            continue
        program = start(url, *command)
        said, _ = program.communicate(timeout=60)
        assert program.returncode not in {0, None}, (name, said)
        assert "Traceback" not in said, (name, said)
        told[name] = said
    return told


def allow(port: int, *rights: str) -> str:
    """Gives `app` rights; returns the URL that it uses."""
    with redis.Redis(port=port) as client:
        client.execute_command("ACL", "SETUSER", "app", "reset", *rights)
    return f"redis://app:pw@127.0.0.1:{port}/0"


async def test_a_user_with_our_prefixes_only_runs_everything(
    servers: RedisServers, start: Start, database_url: str, tmp_path: Path
) -> None:
    url = allow(start_redis(servers), *RIGHTS)
    settings = load_settings(env_files=(), database_url=database_url, redis_url=url)
    worker = start(url, *programs(tmp_path)["worker"])
    async with serve(settings) as client:
        await until_ready(client)
        await create_product(client)
        await create_batch(client)
        await activate_policy(client)
        triggered = await client.post(f"{ADMIN}/discounts/trigger-recompute")
        status = await client.get(triggered.headers["location"], params={"wait": 20})
        price = (await client.get("/api/v1/products/BREAD/price")).json()
        await until_metrics_tell_of_workers(client)
        schedules = await client.get(f"{ADMIN}/schedules")
    assert (status.status_code, status.json()["status"]) == (200, "succeeded"), status.text
    assert price["lowest_price"] == "2.00"
    assert schedules.status_code == 200
    await _everything_is_read(settings)

    doctor = start(url, *flexiprice("doctor"))
    said, _ = await asyncio.to_thread(doctor.communicate, timeout=60)
    assert doctor.returncode == 0, said
    assert "+info" in said
    assert await asyncio.to_thread(broker_page_says, start, url, tmp_path, "+info")

    worker.terminate()
    said, _ = await asyncio.to_thread(worker.communicate, timeout=60)
    assert worker.returncode == 0
    assert "Traceback" not in said


async def until_ready(client: httpx.AsyncClient) -> None:
    async def ready() -> bool:
        return (await client.get("/api/v1/health/ready")).status_code == 200

    await until(ready, seconds=60)


async def until_metrics_tell_of_workers(client: httpx.AsyncClient) -> None:
    # On a busy machine a scrape may lack the metrics of a slow server.
    async def told() -> bool:
        return "flexiprice_workers" in (await client.get("/metrics")).text

    await until(told, seconds=60)


async def _everything_is_read(settings: Settings) -> None:
    async with open_job_broker(settings, program="flexiprice-tests") as broker:
        fleet = await read_broker_snapshot(broker.tasks, ServerClock())
        assert len(fleet.workers) == 1
        with pytest.raises(InvalidSettings, match=r"may not run INFO; grant it: ACL SETUSER .* \+info"):
            await read_broker_info(broker.redis)


def broker_page_says(start: Start, url: str, tmp_path: Path, text: str) -> bool:
    port = free_port(tmp_path / "served")
    start(url, *flexiprice("monitor", "--port", str(port)))
    address = f"http://127.0.0.1:{port}"

    def served() -> bool:
        try:
            return httpx.get(f"{address}/health/live").is_success
        except httpx.TransportError:
            return False

    assert wait_for(served, seconds=60)
    with httpx.Client(base_url=address, timeout=30) as client:
        client.post("/login", data={"key": KEY})
        page = client.get("/broker")
    assert page.status_code == 200
    return text in page.text


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (("resetkeys", "~arq:*"), "ACL SETUSER USER ~arq:* ~flexiprice:*"),
        (("resetchannels", "&arq:*"), "ACL SETUSER USER &arq:* &flexiprice:*"),
        (("-evalsha",), "+evalsha"),
        (("-psetex",), "+psetex"),
    ],
    ids=["keys", "channels", "scripts", "command"],
)
def test_a_missing_right_is_named_with_the_line_that_grants_it(
    servers: RedisServers, start: Start, tmp_path: Path, missing: tuple[str, ...], named: str
) -> None:
    url = allow(start_redis(servers), *RIGHTS, *missing)
    told = refusals(start, url, tmp_path, "worker", "supervised worker")
    # A newer server names the user itself.
    assert all(named in said.replace("SETUSER app", "SETUSER USER") for said in told.values()), told


async def test_a_right_that_is_taken_away_ends_a_running_worker_in_one_sentence(
    servers: RedisServers, start: Start, database_url: str, tmp_path: Path
) -> None:
    port = start_redis(servers)
    url = allow(port, *RIGHTS)
    settings = load_settings(env_files=(), database_url=database_url, redis_url=url)
    worker = start(url, *programs(tmp_path)["worker"])
    async with open_job_broker(settings, program="flexiprice-tests") as broker:
        await until_live(broker.tasks)
    with redis.Redis(port=port) as client:
        client.execute_command("ACL", "SETUSER", "app", "-evalsha")

    said, _ = await asyncio.to_thread(worker.communicate, timeout=60)

    assert worker.returncode == 1
    assert '"worker_refused"' in said
    assert '"component": ' in said
    assert "+evalsha" in said
    assert "Traceback" not in said


async def test_redis_command_that_the_api_may_not_use_is_503_and_named_in_its_log(
    servers: RedisServers, shared_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = allow(start_redis(servers), *RIGHTS, "resetkeys", "~arq:*")
    settings = load_settings(env_files=(), database_url=shared_database_url, redis_url=url)
    async with serve(settings) as client:
        answer = await client.post(f"{ADMIN}/discounts/trigger-recompute")
    assert (answer.status_code, answer.json()["code"]) == (503, "invalid_settings")
    assert int(answer.headers["retry-after"]) > 0
    assert "~arq:* ~flexiprice:*" in capsys.readouterr().out


def test_a_wrong_password_ends_every_program_in_one_sentence(
    servers: RedisServers, start: Start, tmp_path: Path
) -> None:
    url = allow(start_redis(servers), *RIGHTS).replace(":pw@", ":hunter2@")
    for name, said in refusals(start, url, tmp_path).items():
        assert "FLEXIPRICE_REDIS_URL: Redis refuses the user or the password" in said, (name, said)
        assert "hunter2" not in said


def test_a_cluster_is_refused_by_every_program_in_one_sentence(
    servers: RedisServers, start: Start, tmp_path: Path
) -> None:
    port = start_redis(servers, "--cluster-enabled", "yes")
    for name, said in refusals(start, f"redis://127.0.0.1:{port}/0", tmp_path).items():
        assert CLUSTER in said, (name, said)


def test_a_sentinel_that_is_taken_for_a_redis_is_refused_too(
    start: Start, tmp_path: Path, unused_tcp_port: int
) -> None:
    with redis_servers(tmp_path) as servers:
        servers.start(sentinel=True, conf=f"port {unused_tcp_port}\n")
        with redis.Redis(port=unused_tcp_port) as client:
            until_answering(client)
        told = refusals(start, f"redis://127.0.0.1:{unused_tcp_port}/0", tmp_path, "worker", "queues")
    assert all("redis+sentinel://" in said for said in told.values()), told
