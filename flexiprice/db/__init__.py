"""Database infrastructure: tables, engine, locks, partitions, SQLSTATEs and migrations.

Every package above `domain` may import it. It holds no pricing logic.
"""
