"""Migrations, constraints, connections and limits of PostgreSQL."""
