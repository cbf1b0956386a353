"""Units of products, and quantities in thousandths of them.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ENUM

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_UNIT = ENUM("each", "kg", "lb", "l", "m", name="product_unit")
_TABLES = ("batches", "discounts", "price_decisions")
# A trigger that names a column keeps its type from changing.
_TRIGGER = """
    CREATE TRIGGER updated_at_of_update BEFORE UPDATE OF
        price, base_price, unit_cost, rate, rule, limits, policy_version, expiry_date, days_to_expiry,
        quantity, opened_at, changed_at, updated_at
    ON discounts FOR EACH ROW
    WHEN (NEW.updated_at IS DISTINCT FROM now() AND OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION set_updated_at()
"""


def upgrade() -> None:
    _UNIT.create(op.get_bind())
    unit = ENUM(name="product_unit", create_type=False)
    op.add_column("products", sa.Column("unit", unit, server_default=sa.text("'each'"), nullable=False))
    _change_quantities("bigint", "quantity::bigint * 1000")


def downgrade() -> None:
    for table in _TABLES:
        fractions = op.get_bind().scalar(
            sa.text(f"SELECT count(*) FROM {table} WHERE quantity % 1000 <> 0")  # noqa: S608 a constant
        )
        if fractions:
            raise RuntimeError(
                f"{table} has fractions in quantity ({fractions}), which revision 0004 cannot keep"
            )
    _change_quantities("integer", "(quantity / 1000)::integer")
    op.drop_column("products", "unit")
    _UNIT.drop(op.get_bind())


def _change_quantities(kind: str, value: str) -> None:
    op.execute("DROP TRIGGER updated_at_of_update ON discounts")
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN quantity TYPE {kind} USING {value}")
    op.execute(_TRIGGER)
