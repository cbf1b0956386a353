"""Everything up to the first release: catalog, policies, prices, base prices, runs, access.

Revision ID: 0001
"""

from flexiprice.db.migrations.initial import (
    access,
    base_prices,
    catalog,
    policies,
    prices,
    runs,
    updated_at,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Later parts refer to tables of earlier ones.
_PARTS = (catalog, policies, prices, base_prices, runs, access, updated_at)


def upgrade() -> None:
    for part in _PARTS:
        part.create()


def downgrade() -> None:
    for part in reversed(_PARTS):
        part.remove()
