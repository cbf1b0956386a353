"""Triggers that keep `updated_at` for every writer."""

from alembic import op

from flexiprice.db.migrations.initial.columns import create_functions, drop

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
_FUNCTIONS = {
    "set_updated_at": """
        BEGIN
            NEW.updated_at := now();
            RETURN NEW;
        END """,
}


def create() -> None:
    create_functions(_FUNCTIONS)
    for table, update in _UPDATES.items():
        op.execute(
            f"CREATE TRIGGER updated_at_of_insert BEFORE INSERT ON {table} "
            f"FOR EACH ROW WHEN ({_WRONG}) EXECUTE FUNCTION set_updated_at()"
        )
        op.execute(
            f"CREATE TRIGGER updated_at_of_update BEFORE {update} ON {table} "
            f"FOR EACH ROW WHEN ({_CHANGED}) EXECUTE FUNCTION set_updated_at()"
        )


def remove() -> None:
    for table in _UPDATES:
        op.execute(f"DROP TRIGGER updated_at_of_insert ON {table}")
        op.execute(f"DROP TRIGGER updated_at_of_update ON {table}")
    drop(functions=_FUNCTIONS)
