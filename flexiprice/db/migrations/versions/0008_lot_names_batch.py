"""A lot names one batch of a product in a store; without a lot, the expiry date does.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from flexiprice.errors import Conflict

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BY_DATE = "uq_batches_store_id_product_id_lot_expiry_date"
_BY_NAME = "uq_batches_name"
_LISTED = 5

_LOTS_WITH_TWO_DATES = """
    SELECT
        stores.code, products.sku, batches.lot,
        string_agg(
            format('%s (batch %s, %s in stock)', expiry_date, batches.id, trim_scale(quantity / 1000.0)), ', '
            ORDER BY expiry_date
        ),
        count(*) OVER ()
    FROM batches
    JOIN stores ON stores.id = batches.store_id
    JOIN products ON products.id = batches.product_id
    WHERE batches.lot <> ''
    GROUP BY stores.code, products.sku, batches.lot
    HAVING count(*) > 1
    ORDER BY stores.code, products.sku, batches.lot
    LIMIT :listed
"""


def upgrade() -> None:
    _require_one_date_a_lot()
    op.drop_constraint(_BY_DATE, "batches", type_="unique")
    name_date = sa.text("(CASE WHEN lot = '' THEN expiry_date ELSE '-infinity'::date END)")
    op.create_index(_BY_NAME, "batches", ["store_id", "product_id", "lot", name_date], unique=True)


def downgrade() -> None:
    op.drop_index(_BY_NAME, "batches")
    op.create_unique_constraint(_BY_DATE, "batches", ["store_id", "product_id", "lot", "expiry_date"])


def _require_one_date_a_lot() -> None:
    found = op.get_bind().execute(sa.text(_LOTS_WITH_TWO_DATES), {"listed": _LISTED}).all()
    if not found:
        return
    listed = "; ".join(
        f"store {store}, product {sku}, lot {lot}: {batches}" for store, sku, lot, batches, _ in found
    )
    count = found[0][-1]
    more = f"; and {count - len(found)} more" if count > len(found) else ""
    raise Conflict(
        f"from schema 0008 on, a lot has one expiry date, and here {count} have several: {listed}{more}. "
        "With the version of FlexiPrice before this one, delete the batches whose date is wrong "
        "(DELETE /api/v1/admin/batches/ID) or give them another lot (PATCH), then migrate again",
        lots=count,
    )
