"""Settings of prices and of the history that is kept."""

from pydantic import Field

from flexiprice.domain.shard import BUCKET_COUNT
from flexiprice.settings.group import SettingsGroup
from flexiprice.settings.values import Currency


class PriceSettings(SettingsGroup):
    """Reach and size of a recompute, retention of history, and the currency."""

    days_threshold: int = Field(
        default=30, ge=1, le=365, description="days before expiry from which on a batch may get a discount"
    )
    recompute_shards: int = Field(
        default=1,
        ge=1,
        le=BUCKET_COUNT,
        description="child jobs into which a large recompute is split, for all workers to share; 1 for none",
    )
    recompute_shards_from: int = Field(
        default=50_000,
        ge=0,
        description="number of changed batches above which a recompute is split; with fewer, one worker is "
        "faster",
    )
    history_retention_days: int = Field(
        default=730,
        ge=31,
        le=36500,
        description="days that the history of prices and base prices is kept; the ledger is kept for ever",
    )
    event_retention_days: int = Field(
        default=730,
        ge=31,
        le=36500,
        description="days that sales, waste, counts and deliveries are kept; older ones are refused",
    )
    run_history_retention_days: int = Field(
        default=30, ge=1, le=3650, description="days that the run history is kept in the database"
    )
    currency: Currency = Field(
        default="EUR", description="currency of the installation (ISO 4217, with two decimals)"
    )
