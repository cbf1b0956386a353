"""The same task under Celery, where that is installed: it is not among what FlexiPrice is developed with."""

import os

from celery import Celery

app = Celery(
    "celery_noop",
    broker=os.environ["FLEXIPRICE_REDIS_URL"],
    backend=os.environ["FLEXIPRICE_REDIS_URL"],
)


@app.task(name="noop")
def noop() -> None:
    """Does nothing."""
