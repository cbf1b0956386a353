"""The Alembic environment and its revisions."""
