"""A backup made, lost and restored as `operate/upgrade-backup.md` prints it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from flexiprice.embedded.binaries import postgres_programs
from tests.support.commands import PATIENTLY, Run
from tests.support.processes import flexiprice, start
from tests.support.readme import page, shell_blocks
from tests.support.servers import flush

BLOCKS = [block.text for block in shell_blocks(page("operate/upgrade-backup"))]
BACK_UP = next(block for block in BLOCKS if "\npg_dump " in block)
RESTORE = next(block for block in BLOCKS if "\npg_restore --single-transaction" in block)
KEPT = (
    *("products", "batches", "policies", "discounts", "price_decisions", "base_prices"),
    *("api_keys", "task_runs"),
)


def stock() -> str:
    tonight = datetime.now(UTC).date() + timedelta(days=1)
    rows = (f"BREAD-{number},Bread,Bakery,{number}.00,5,{tonight}" for number in range(2, 42))
    return "\n".join(("sku,name,category,base_price,quantity,expiry_date", *rows))


def typed(block: str, environment: dict[str, str], folder: Path) -> None:
    """Types a block into a shell whose PATH has the programs of PostgreSQL and ours."""
    programs = f"{postgres_programs()}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env={**environment, "PATH": programs},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def contents(url: str) -> dict[str, list[str]]:
    """Every row of the tables that must not get lost."""

    async def read() -> dict[str, list[str]]:
        connection = await asyncpg.connect(url)
        try:
            return {
                table: [
                    row["row"]
                    for row in await connection.fetch(f"SELECT t::text AS row FROM {table} t ORDER BY 1")
                ]
                for table in KEPT
            }
        finally:
            await connection.close()

    return asyncio.run(read())


def worked(run: Run, environment: dict[str, str], folder: Path, *command: str) -> Any:
    """The JSON of a command that waits for a worker, run beside a worker."""
    worker = start(flexiprice("worker", "--log-level", "warning"), folder, environment)
    try:
        done = run(*command, "--json", **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=120)


def test_a_restored_backup_has_every_row_and_prices_on_with_an_empty_redis(
    run: Run, environment: dict[str, str], empty_database_url: str, tmp_path: Path
) -> None:
    assert run("import", "-", typed=stock()).returncode == 0
    assert run("keys", "create", "till").returncode == 0
    # A second base price, so that there is a history to lose.
    assert run("import", "-", typed=stock().replace(",41.00,", ",42.00,")).returncode == 0
    worked(run, environment, tmp_path, "recompute", *PATIENTLY)
    before = contents(environment["FLEXIPRICE_DATABASE_URL"])
    assert {table for table, rows in before.items() if not rows} == set()
    assert len(before["base_prices"]) > len(before["products"])

    typed(BACK_UP, environment, tmp_path)
    flush(environment["FLEXIPRICE_REDIS_URL"])
    restored = {**environment, "FLEXIPRICE_DATABASE_URL": empty_database_url}
    typed(RESTORE, restored, tmp_path)

    assert contents(empty_database_url) == before
    again = worked(run, restored, tmp_path, "recompute", *PATIENTLY)["result"]
    assert (again["considered"], again["unchanged"]) == (40, 40)
