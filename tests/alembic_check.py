"""`alembic check` on an embedded server: whether the migrations lead to exactly the tables in the code."""

from alembic import command
from alembic.config import Config

from flexiprice.db.migrate import upgrade
from flexiprice.embedded.servers import temporary_servers


def main() -> None:
    """Migrates an empty database and lets Alembic compare; raises where they differ."""
    with temporary_servers(redis_url="redis://not-needed") as servers:
        upgrade(servers.database_url)
        configuration = Config(toml_file="pyproject.toml")
        configuration.attributes["database_url"] = servers.database_url
        command.check(configuration)


if __name__ == "__main__":
    main()
