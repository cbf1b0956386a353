"""`flexiprice cleanup`: runs the nightly cleanup now."""

from flexiprice.cli.access.operator import cli_source
from flexiprice.cli.broker import command_settings
from flexiprice.cli.console import JsonOption
from flexiprice.cli.options import TimeoutOption, WaitOption
from flexiprice.cli.tasks.enqueue import run_job
from flexiprice.cli.wait_options import WaitOptions
from flexiprice.queue.admin.operations import run_task
from flexiprice.queue.declarations import CLEANUP_EXPIRED_DISCOUNTS


def cleanup(*, wait: WaitOption = False, timeout: TimeoutOption = None, as_json: JsonOption = False) -> None:
    """Close discounts of expired or sold-out batches, and delete price history past its retention.

    A worker runs it, as it does every night. With `--wait` the exit code is 1 if it failed.
    """
    wait_options = WaitOptions.of_options(wait=wait, timeout=timeout)
    operation = run_task(CLEANUP_EXPIRED_DISCOUNTS, {}, source=cli_source())
    run_job(command_settings(), operation, wait_options=wait_options, as_json=as_json)
