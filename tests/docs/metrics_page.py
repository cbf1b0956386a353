"""The reference of metrics, made from the objects that a scrape is answered with."""

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import Metric

from flexiprice.metrics import Metrics, PoolUse
from flexiprice.snapshots import DatabaseSnapshot, ShopSnapshot, WorkersSnapshot

_HEAD = ("| metric | type | labels | meaning |", "| --- | --- | --- | --- |")


def metrics_page() -> str:
    """The page's Markdown."""
    metrics = Metrics()
    metrics.watch_database_pool(lambda: PoolUse(in_use=0, idle=0, size=1))
    return "\n".join(
        [
            "# Metrics",
            "",
            (
                "The API serves metrics for Prometheus at `/metrics`. A worker serves them where "
                "`FLEXIPRICE_WORKER_METRICS_PORT` is set. Both ask for a key, such as "
                "[`FLEXIPRICE_METRICS_KEY`](settings.md#servers-and-access)."
            ),
            "",
            "A label's value is the name of a declared task, queue or schedule, or one of a fixed list.",
            "",
            "## Of the process",
            "",
            "Measured by the API or the worker that is asked. Tasks run in workers, requests in the API.",
            "",
            *_HEAD,
            *_rows(_measured(metrics)),
            "",
            "## Of all workers and queues",
            "",
            (
                "Read from Redis for each scrape, by the API and by every worker. Absent where Redis does "
                "not answer within 2 seconds."
            ),
            "",
            *_HEAD,
            *_rows(WorkersSnapshot(workers_alive=0).families()),
            "",
            "## Of the database",
            "",
            "Served by the API and by every worker.",
            "",
            *_HEAD,
            *_rows(DatabaseSnapshot(takes_work=True).families()),
            "",
            "## Of the shop",
            "",
            "Read from PostgreSQL by the API. Absent where it does not answer within 2 seconds.",
            "",
            *_HEAD,
            *_rows(ShopSnapshot(discounts=0, expired_discounts=0, last_success={}).families()),
            "",
            "Generated from the code by `make reference`.",
            "",
        ]
    )


def _measured(metrics: Metrics) -> Iterator[Metric]:
    # Its own collectors know their labels before anything was counted; the others make families when asked.
    collectors: Iterable[Any] = metrics.registry._collector_to_names
    for collector in collectors:
        for family in collector.collect():
            family._labelnames = getattr(collector, "_labelnames", getattr(family, "_labelnames", ()))
            yield family


def _rows(families: Iterable[Metric]) -> Iterator[str]:
    for family in families:
        labels = ", ".join(f"`{label}`" for label in getattr(family, "_labelnames", ()))
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"| `{name}` | {family.type} | {labels} | {_sentence(family.documentation)} |"


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
