"""The table of the commands: their panels, their summaries, and where their code is.

The list of commands is printed from this table alone. A summary is the first paragraph of the command's
own help.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

_TRY_OUT: Final = "Try it out"
_STOCK_AND_PRICES: Final = "Stock and prices"
_RUN_IT: Final = "Run it"
_TASKS: Final = "Tasks and workers"


class CommandEntry(NamedTuple):
    """A command, or a group of commands, of the first level."""

    panel: str
    place: str
    summary: str


COMMANDS: Final[Mapping[str, CommandEntry]] = MappingProxyType(
    {
        "demo": CommandEntry(
            _TRY_OUT,
            "flexiprice.cli.serve.demo:demo",
            "Reprice a sample supermarket once, show the result, and leave nothing behind.",
        ),
        "up": CommandEntry(
            _TRY_OUT,
            "flexiprice.cli.serve.up:up",
            "Serve the API, a worker and the monitor on this machine until Ctrl-C.",
        ),
        "help": CommandEntry(
            _TRY_OUT,
            "flexiprice.cli.manual:show_help",
            "List the pages of the manual, or show one.",
        ),
        "import": CommandEntry(
            _STOCK_AND_PRICES,
            "flexiprice.cli.catalog.import_file:import_file",
            "Import products and batches from another system's export.",
        ),
        "scan": CommandEntry(
            _STOCK_AND_PRICES,
            "flexiprice.cli.catalog.scan:scan",
            "Record scanned barcodes: find the batch of each, or make it, and change its stock.",
        ),
        "import-maps": CommandEntry(
            _STOCK_AND_PRICES,
            "flexiprice.cli.catalog.import_maps:app",
            "List and delete the mappings that imports saved.",
        ),
        "recompute": CommandEntry(
            _STOCK_AND_PRICES,
            "flexiprice.cli.pricing.recompute:recompute",
            "Recompute all prices: open, change and close discounts by the active policy.",
        ),
        "prices": CommandEntry(
            _STOCK_AND_PRICES,
            "flexiprice.cli.pricing.prices:prices",
            "Show the discounts in force, the largest first, each with the rule behind its price.",
        ),
        "history": CommandEntry(
            _STOCK_AND_PRICES,
            "flexiprice.cli.pricing.history:history",
            "Show the lowest price of a product in a store over time, as a chart and a table of changes.",
        ),
        "policy": CommandEntry(
            _STOCK_AND_PRICES,
            "flexiprice.cli.pricing.policy:app",
            "Show, check, preview, store and activate pricing policies.",
        ),
        "stores": CommandEntry(
            _STOCK_AND_PRICES,
            "flexiprice.cli.catalog.stores:app",
            "List and create stores, and set their time zones.",
        ),
        "cleanup": CommandEntry(
            _STOCK_AND_PRICES,
            "flexiprice.cli.pricing.cleanup:cleanup",
            "Close discounts of expired or sold-out batches, and delete price history past its retention.",
        ),
        "migrate": CommandEntry(
            _RUN_IT,
            "flexiprice.cli.migrate:migrate",
            "Create the tables or upgrade them to this version, and create missing partitions.",
        ),
        "api": CommandEntry(
            _RUN_IT,
            "flexiprice.cli.serve.api:api",
            "Serve the API until it is stopped; like `uvicorn api.main:app`, with limits on headers.",
        ),
        "monitor": CommandEntry(
            _RUN_IT,
            "flexiprice.cli.serve.monitor:monitor",
            "Serve the web monitor until it is stopped.",
        ),
        "worker": CommandEntry(
            _RUN_IT,
            "flexiprice.cli.serve.worker:app",
            "Run a worker until it is stopped; the same as `arq workers.settings.WorkerSettings`.",
        ),
        "keys": CommandEntry(
            _RUN_IT,
            "flexiprice.cli.access.keys:app",
            "Create, list, rotate and revoke API keys.",
        ),
        "doctor": CommandEntry(
            _RUN_IT,
            "flexiprice.cli.doctor.command:doctor",
            "Check settings, servers, tables, workers, schedules, runs and dead letters; suggest remedies.",
        ),
        "healthcheck": CommandEntry(
            _RUN_IT,
            "flexiprice.cli.serve.healthcheck:healthcheck",
            "Check the API, the monitor or the worker on this host; exit code 1 if it is unhealthy.",
        ),
        "systemd": CommandEntry(
            _RUN_IT,
            "flexiprice.cli.serve.systemd:systemd",
            "Print hardened systemd units, which restrict the program to its own files and servers.",
        ),
        "run": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.run:run",
            "Enqueue a task by its name.",
        ),
        "status": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.status:status",
            "Show the status of a job: deferred, queued, running, retrying, succeeded, failed or revoked.",
        ),
        "active": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.inspect:active",
            "Show the running jobs, the longest-running first.",
        ),
        "scheduled": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.inspect:scheduled",
            "Show the deferred jobs, and the next tick of each schedule.",
        ),
        "registered": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.inspect:registered",
            "Show the tasks that live workers declare, and those workers.",
        ),
        "workers": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.inspect:workers",
            "Show the live workers, as of their latest heartbeats.",
        ),
        "stats": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.runs:stats",
            "Show statistics of the live workers, and of the runs of each task.",
        ),
        "runs": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.runs:runs",
            "Show the run history, the latest run first; each attempt of a job is a run.",
        ),
        "dead-letters": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.dead_letters:app",
            "List, retry and dismiss dead letters: jobs that were given up, unreadable, unknown or failed.",
        ),
        "revoke": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.control:revoke",
            "Revoke jobs: waiting jobs never start, running jobs are cancelled.",
        ),
        "retry": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.control:retry",
            "Retry finished jobs: enqueue each again with the same arguments, as a child job.",
        ),
        "queues": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.inspect:queues",
            "Show the waiting, deferred and running jobs of each queue, and which queues are paused.",
        ),
        "purge": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.control:purge_queues",
            "Revoke all waiting and deferred jobs; running jobs are not affected.",
        ),
        "pause-queue": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.control:pause_one_queue",
            "Pause a queue: workers stop claiming its jobs; running jobs finish.",
        ),
        "resume-queue": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.control:resume_one_queue",
            "Resume a queue: workers claim its jobs again.",
        ),
        "schedule": CommandEntry(
            _TASKS,
            "flexiprice.cli.tasks.schedule:app",
            "List, pause, resume and run the schedules.",
        ),
        "audit": CommandEntry(
            _TASKS,
            "flexiprice.cli.access.audit_log:audit",
            "Show who changed what, from where and when, the latest change first. Entries are never deleted.",
        ),
    }
)
"""The commands in the order of the list."""
