"""`flexiprice recompute`: enqueues a recompute, or previews one."""

from typing import Annotated

import typer

from flexiprice.cli.access.operator import cli_source
from flexiprice.cli.broker import command_settings
from flexiprice.cli.console import JsonOption
from flexiprice.cli.options import (
    CategoryOption,
    DaysThresholdOption,
    LimitOption,
    OnOption,
    StoreOption,
    TimeoutOption,
    WaitOption,
)
from flexiprice.cli.pricing.preview_tables import show_preview
from flexiprice.cli.tasks.enqueue import run_job
from flexiprice.cli.wait_options import WaitOptions
from flexiprice.queue.admin.operations import trigger_recompute


def recompute(
    *,
    days_threshold: DaysThresholdOption = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show the discounts that would open, change and close; write nothing."
        ),
    ] = False,
    on: OnOption = None,
    store: StoreOption = None,
    category: CategoryOption = None,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """Recompute all prices: open, change and close discounts by the active policy.

    A worker runs it, as it does every hour. With `--wait` the exit code is 1 if it failed. `--on`, `--store`,
    `--category` and `--limit` require `--dry-run`, which needs no worker: it shows the largest discounts and
    the totals of each category.
    """
    if not dry_run and (on is not None or store is not None or category is not None):
        raise typer.BadParameter("--on, --store and --category need --dry-run")
    settings = command_settings()
    if dry_run:
        show_preview(
            settings,
            days_threshold=days_threshold,
            on=on,
            store=store,
            category=category,
            limit=limit,
            as_json=as_json,
        )
        return
    threshold = settings.days_threshold if days_threshold is None else days_threshold
    operation = trigger_recompute(days_threshold=threshold, source=cli_source())
    wait_options = WaitOptions.of_options(wait=wait, timeout=timeout)
    run_job(settings, operation, wait_options=wait_options, as_json=as_json)
