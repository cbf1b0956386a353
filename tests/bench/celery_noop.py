"""The same task under Celery; runs where `celery_home` has put it, and imports nothing of FlexiPrice.

As a program it enqueues: for each number on its standard input it says, as a line of JSON, when it began to
enqueue so many jobs, by the monotonic clock, and their ids.
"""

import json
import os
import sys
import time

from celery import Celery

app = Celery(
    "celery_noop",
    broker=os.environ["FLEXIPRICE_REDIS_URL"],
    backend=os.environ["FLEXIPRICE_REDIS_URL"],
)


@app.task(name="noop")
def noop() -> None:
    """Does nothing."""


def main() -> None:
    """Enqueues until its input ends."""
    for line in sys.stdin:
        began = time.monotonic()
        ids = [noop.delay().id for _ in range(int(line))]
        sys.stdout.write(json.dumps({"began": began, "ids": ids}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
