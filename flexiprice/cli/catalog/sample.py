"""Loads the sample catalogue, with dates relative to today."""

from dataclasses import asdict

from flexiprice.access.audit_log import record_audit
from flexiprice.catalog.sample import SampleSummary, load_sample_catalog
from flexiprice.cli.access.audit import cli_event
from flexiprice.db.clock import database_now
from flexiprice.db.work import Work
from flexiprice.resources import open_resources
from flexiprice.settings import Settings


async def load_sample(settings: Settings) -> SampleSummary:
    """Loads the sample catalogue into the database that the settings name."""
    async with (
        open_resources(settings, program="flexiprice-sample", work=Work.RECOMPUTE) as resources,
        resources.sessions.begin() as session,
    ):
        today = (await database_now(session)).date()
        loaded = await load_sample_catalog(session, today=today)
        await record_audit(session, [cli_event("load_sample", "sample catalogue", asdict(loaded))])
        return loaded
