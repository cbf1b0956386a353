"""Options that several commands share."""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from flexiprice.cli.durations import duration

DaysThresholdOption = Annotated[
    int | None,
    typer.Option(
        "--days-threshold",
        min=1,
        max=365,
        help="Open discounts only for batches that expire within this many days. "
        "[default: FLEXIPRICE_DAYS_THRESHOLD, 30]",
        show_default=False,
    ),
]
StoreOption = Annotated[str | None, typer.Option(help="Only this store.", metavar="CODE")]
CategoryOption = Annotated[str | None, typer.Option(help="Only this category, in any spelling.")]
OnOption = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Price as of this day instead of today.", metavar="YYYY-MM-DD"),
]
LimitOption = Annotated[int, typer.Option(min=1, max=10_000, help="Show at most this many.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait for the job to finish, and show its result.")]
TimeoutOption = Annotated[
    timedelta | None,
    typer.Option(
        parser=duration,
        metavar="TIME",
        help="With `--wait`: give up after 90s, 15m, 2h, with exit code 1. [default: never]",
    ),
]
