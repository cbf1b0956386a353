"""When each row changed last, kept by the database whoever writes.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ADDED_TO = ("stores", "policies", "discounts")

# A writer that sets now() itself, as bulk statements do, costs no call of the function.
_WRONG = "NEW.updated_at IS DISTINCT FROM now()"
_CHANGED = f"({_WRONG} AND OLD.* IS DISTINCT FROM NEW.*)"
# A fingerprint that is refreshed is no change of a discount, and is written for very many at once.
_SHOWN_OF_A_DISCOUNT = (
    "price, base_price, unit_cost, rate, rule, limits, policy_version, expiry_date, days_to_expiry, "
    "quantity, opened_at, changed_at, updated_at"
)
_UPDATES = {
    "stores": "UPDATE",
    "products": "UPDATE",
    "batches": "UPDATE",
    "policies": "UPDATE",
    "discounts": f"UPDATE OF {_SHOWN_OF_A_DISCOUNT}",
}


def upgrade() -> None:
    for table in _ADDED_TO:
        instant = sa.TIMESTAMP(timezone=True)
        op.add_column(table, sa.Column("updated_at", instant, server_default=sa.func.now(), nullable=False))
    op.execute(
        """
        CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.updated_at := now();
            RETURN NEW;
        END $$
        """
    )
    for table, update in _UPDATES.items():
        op.execute(
            f"CREATE TRIGGER updated_at_of_insert BEFORE INSERT ON {table} "
            f"FOR EACH ROW WHEN ({_WRONG}) EXECUTE FUNCTION set_updated_at()"
        )
        op.execute(
            f"CREATE TRIGGER updated_at_of_update BEFORE {update} ON {table} "
            f"FOR EACH ROW WHEN ({_CHANGED}) EXECUTE FUNCTION set_updated_at()"
        )


def downgrade() -> None:
    for table in _UPDATES:
        op.execute(f"DROP TRIGGER updated_at_of_insert ON {table}")
        op.execute(f"DROP TRIGGER updated_at_of_update ON {table}")
    op.execute("DROP FUNCTION set_updated_at()")
    for table in _ADDED_TO:
        op.drop_column(table, "updated_at")
