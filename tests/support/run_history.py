"""The run history as tests read it, and an outage of its database."""

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flexiprice.db.engine import create_engine
from flexiprice.domain.run import RunStatus
from flexiprice.runs.query import RunDetails, list_attempts
from flexiprice.settings import load_settings
from tests.support.waiting import until


class Outage:
    """Sessions of a PostgreSQL that is unreachable until `end` is called."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.sessions = async_sessionmaker(
            create_engine(
                load_settings(env_files=(), database_url="postgresql://nobody@127.0.0.1:1/none"),
                application_name="flexiprice-tests",
            )
        )

    def end(self) -> None:
        self.sessions.configure(bind=self._engine)


async def attempts(engine: AsyncEngine, job_id: str) -> list[RunDetails]:
    """The recorded runs of a job, the first first."""
    async with AsyncSession(engine) as session:
        return list(reversed(await list_attempts(session, job_id)))


async def until_recorded(engine: AsyncEngine, job_id: str, *states: RunStatus) -> list[RunDetails]:
    async def so() -> bool:
        return [run.status for run in await attempts(engine, job_id)] == list(states)

    await until(so)
    return await attempts(engine, job_id)
