"""Runs tests again and again on a machine that is kept busy: `python -m tests.busy [--rounds N] [FILE …]`.

A test that assumes a speed, or that meets a race, fails here sooner than in `make check`. One process a core
computes meanwhile; they end with this program, however that ends.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# Tests that start programs, wait for others or watch a clock.
FILES = (
    "tests/e2e/cli/test_supervisor.py",
    "tests/e2e/cli/test_up_and_demo.py",
    "tests/e2e/api/test_event_stream.py",
    "tests/e2e/workers",
    "tests/unit/workers",
    "tests/integration/queue",
    "tests/integration/workers",
    "tests/integration/monitor",
    "tests/integration/api/test_http_protocol.py",
    "tests/integration/api/test_operations.py",
    "tests/integration/api/test_outages.py",
    "tests/chaos/test_small_set.py",
)
# It ends soon after its parent.
_COMPUTE = """
import os
parent = os.getppid()
while os.getppid() == parent:
    sum(range(1_000_000))
"""


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keeps all cores busy for as long as the context is open."""
    load = [subprocess.Popen([sys.executable, "-c", _COMPUTE]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in load:
            process.kill()
            process.wait()


def run_tests(files: Sequence[str], processes: int) -> tuple[int, str]:
    """The exit code of pytest, and its output."""
    pytest = [sys.executable, "-m", "pytest", "-q", "--dist", "loadgroup", "-n", str(processes)]
    ran = subprocess.run(
        [*pytest, "--show-capture=no", *files], stdout=subprocess.PIPE, text=True, check=False
    )
    return ran.returncode, ran.stdout


def main() -> int:
    """The exit code: 1 where a round had a failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.busy", description=__doc__)
    parser.add_argument("files", nargs="*", default=FILES, metavar="FILE", help="what to run")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often (5)")
    parser.add_argument("--processes", type=int, default=3, metavar="N", help="tests that run at once (3)")
    options = parser.parse_args()
    failures: Counter[str] = Counter()
    failed_rounds = 0
    for number in range(1, options.rounds + 1):
        began = time.monotonic()
        with busy_cores():
            exit_code, said = run_tests(options.files, options.processes)
        lines = said.splitlines() or [""]
        seconds = time.monotonic() - began
        print(f"round {number} of {options.rounds}, {seconds:.0f} s: {lines[-1]}", flush=True)  # noqa: T201
        if exit_code:
            failed_rounds += 1
            failures.update(re.findall(r"^(?:FAILED|ERROR) (\S+)", said, flags=re.MULTILINE))
            print(said, file=sys.stderr, flush=True)  # noqa: T201
    for test, times in failures.most_common():
        print(f"failed {times} of {options.rounds} times: {test}")  # noqa: T201
    print(f"{options.rounds - failed_rounds} of {options.rounds} rounds were green")  # noqa: T201
    return int(failed_rounds > 0)


if __name__ == "__main__":
    sys.exit(main())
