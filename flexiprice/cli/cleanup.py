"""`flexiprice cleanup`: the nightly tidying, now."""

from flexiprice.cli.connections import command_settings
from flexiprice.cli.console import JsonOption
from flexiprice.cli.jobs import run_job
from flexiprice.cli.options import TimeoutOption, WaitOption
from flexiprice.cli.patience import Patience
from flexiprice.jobs.declarations import CLEANUP_EXPIRED_DISCOUNTS


def cleanup(*, wait: WaitOption = False, timeout: TimeoutOption = None, as_json: JsonOption = False) -> None:
    """Close the discounts of batches that are expired or sold out, and drop price history past its time.

    A worker does it, as it does by itself every night. With `--wait` the exit code is 1 where it failed.
    """
    patience = Patience.of_options(wait=wait, timeout=timeout)
    run_job(command_settings(), CLEANUP_EXPIRED_DISCOUNTS, {}, patience=patience, as_json=as_json)
