"""Workers on a Redis behind TLS, and behind Sentinel while its master dies."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from flexiprice.embedded.child_process import free_port
from flexiprice.errors import RedisUnavailable
from flexiprice.queue.broker import open_job_broker
from flexiprice.queue.client import EnqueuedJob, TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.connection import create_redis
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Queue, load_settings
from tests.support.processes import wait_for
from tests.support.redis_servers import (
    RedisServers,
    make_certificates,
    redis_servers,
    until_answering,
    until_replicated,
)
from tests.support.toy_tasks import ADD, SLEEP, SLEEP_ELSEWHERE
from tests.support.workers import running, until_live

WAIT = timedelta(seconds=120)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[RedisServers]:
    """Valkey servers of the test's own."""
    with redis_servers(tmp_path) as servers:
        yield servers


@pytest.fixture
def tls_servers(tmp_path: Path) -> Iterator[RedisServers]:
    """Servers that speak TLS, in a folder with certificates; the Valkey of the wheel does not."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs a Redis that speaks TLS: apt-get install redis-server")
    make_certificates(tmp_path)
    with redis_servers(tmp_path, program=program) as servers:
        yield servers


def tls_conf(port: int, folder: Path, *more: str) -> str:
    """The configuration of a server that speaks TLS and nothing else."""
    files = {"ca-cert": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
    lines = [f"tls-{name}-file {folder / file}" for name, file in files.items()]
    return "\n".join(["port 0", f"tls-port {port}", *lines, *more, ""])


async def test_a_worker_speaks_tls_with_a_redis_that_wants_its_certificate_too(
    tls_servers: RedisServers, workers_database_url: str, tmp_path: Path
):
    port = free_port(tmp_path / "port")
    tls_servers.start(conf=tls_conf(port, tmp_path, "tls-auth-clients yes", "save ''"))
    trusted = f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path}/ca.pem"
    ours = f"{trusted}&ssl_certfile={tmp_path}/cert.pem&ssl_keyfile={tmp_path}/key.pem"
    with redis.Redis.from_url(ours) as client:
        until_answering(client)
    settings = load_settings(env_files=(), database_url=workers_database_url, redis_url=ours)
    async with running(settings), open_job_broker(settings, program="tests") as broker:
        job = await broker.tasks.enqueue(ADD, arguments={"left": "1.50"})
        status = await broker.tasks.wait(job.job_id, WAIT)
    strangers = load_settings(env_files=(), redis_url=trusted)
    async with open_job_broker(strangers, program="tests") as broker:
        with pytest.raises(RedisUnavailable):
            await broker.tasks.enqueue(ADD, arguments={"left": "1.50"})

    assert status.status is JobStatus.SUCCEEDED


async def test_sentinels_and_their_master_are_spoken_to_by_tls(tls_servers: RedisServers, tmp_path: Path):
    port, sentinel = free_port(tmp_path / "port"), free_port(tmp_path / "sentinel")
    open_to_all = ("tls-auth-clients no", "tls-replication yes")
    tls_servers.start(conf=tls_conf(port, tmp_path, *open_to_all, "save ''"))
    query = f"ssl_ca_certs={tmp_path}/ca.pem"
    by_name = ("sentinel resolve-hostnames yes", "sentinel announce-hostnames yes")
    watch = f"sentinel monitor prices localhost {port} 1"
    with redis.Redis.from_url(f"rediss://localhost:{port}/0?{query}") as client:
        until_answering(client)
    conf = tls_conf(sentinel, tmp_path, *open_to_all, *by_name, watch)
    tls_servers.start(conf=conf, sentinel=True)
    with redis.Redis.from_url(f"rediss://localhost:{sentinel}/0?{query}") as client:
        until_answering(client)
    url = f"rediss+sentinel://localhost:{sentinel}/prices/0?{query}"
    settings = load_settings(env_files=(), redis_url=url)
    async with open_job_broker(settings, program="tests") as broker:
        job = await broker.tasks.enqueue(ADD, arguments={"left": "1.50"})
        assert (await broker.tasks.status(job.job_id)).status is JobStatus.QUEUED


async def test_workers_continue_on_the_new_master_and_its_jobs_are_done(
    servers: RedisServers, workers_database_url: str, tmp_path: Path
):
    first, second, sentinel = (free_port(tmp_path / name) for name in ("first", "second", "sentinel"))
    master = servers.start("--port", str(first), "--repl-diskless-sync-delay", "0")
    servers.start("--port", str(second), "--replicaof", f"127.0.0.1 {first}")
    stores = [redis.Redis(port=port) for port in (first, second)]
    until_replicated(*stores)
    servers.start(
        sentinel=True,
        conf=f"port {sentinel}\nsentinel monitor prices 127.0.0.1 {first} 1\n"
        "sentinel down-after-milliseconds prices 500\n",
    )
    watch = redis.Redis(port=sentinel, decode_responses=True)
    until_answering(watch)
    assert await asyncio.to_thread(wait_for, lambda: watch.sentinel_slaves("prices"))
    url = f"redis+sentinel://127.0.0.1:{sentinel}/prices/0"
    settings = load_settings(
        env_files=(), database_url=workers_database_url, redis_url=url, worker_concurrency=1
    )

    async with running(settings), open_job_broker(settings, program="tests") as broker:
        await until_live(broker.tasks)
        before = [await broker.tasks.enqueue(SLEEP, arguments={"seconds": 0.3}) for _ in range(3)]
        until_replicated(*stores)
        master.kill()
        after = await enqueued(broker.tasks)
        statuses = [await broker.tasks.wait(job.job_id, WAIT) for job in (*before, after)]
    for connection in (*stores, watch):
        connection.close()

    assert [status.status for status in statuses] == [JobStatus.SUCCEEDED] * 4


async def enqueued(tasks: TaskQueue) -> EnqueuedJob:
    """A job that could be enqueued at last; its id keeps it from being enqueued twice."""
    async with asyncio.timeout(120):
        while True:
            with suppress(RedisUnavailable):
                return await tasks.enqueue(SLEEP, job_id="after the master's death")
            await asyncio.sleep(0.05)


async def test_many_workers_on_one_redis_each_take_from_their_queues_only(
    workers_database_url: str, redis_url: str
):
    every = {"env_files": (), "database_url": workers_database_url, "redis_url": redis_url}
    pricing = load_settings(**every, worker_queues="discounts")
    tidying = load_settings(**every, worker_queues="maintenance,analytics")
    async with (
        running(pricing),
        running(pricing),
        running(tidying),
        open_job_broker(pricing, program="tests") as broker,
    ):
        await until_live(broker.tasks, workers=3)
        live = {worker.worker_id: worker.queues for worker in await broker.tasks.live_workers()}
        jobs = [await broker.tasks.enqueue(task) for task in [SLEEP, SLEEP_ELSEWHERE] * 20]
        client = create_redis(pricing, client_name="tests")
        for job in jobs:
            assert (await broker.tasks.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED
        workers = [await client.hget(keys.record_key(job.job_id), "worker") for job in jobs]
        await client.aclose(close_connection_pool=True)

    took = [live[worker.decode()] for worker in workers]
    assert set(took[0::2]) == {(Queue.DISCOUNTS,)}
    assert set(took[1::2]) == {(Queue.MAINTENANCE, Queue.ANALYTICS)}
