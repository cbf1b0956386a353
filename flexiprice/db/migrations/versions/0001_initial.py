"""The base: stores, products, batches, policies, discounts, the ledger and the price history.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from flexiprice.pricing.policy_files import default_policy

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MONEY = sa.Numeric(12, 2)
_RATE = sa.Numeric(5, 4)
_INSTANT = sa.TIMESTAMP(timezone=True)
_KIND = sa.Enum("opened", "changed", "closed", name="decision_kind")
_REASON = sa.Enum("expired", "sold_out", "no_discount", "deleted", name="close_reason")

_FUNCTIONS = {
    "refuse_policy_edit": """
        BEGIN
            IF TG_OP = 'UPDATE' AND (NEW.version, NEW.document, NEW.comment, NEW.created_at)
                IS NOT DISTINCT FROM (OLD.version, OLD.document, OLD.comment, OLD.created_at)
            THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'policy version % is immutable: create a new one', OLD.version
                USING ERRCODE = 'restrict_violation';
        END
    """,
    "require_active_policy": """
        BEGIN
            IF NOT EXISTS (SELECT FROM policies WHERE active) THEN
                RAISE EXCEPTION 'one version of the policy must be active'
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NULL;
        END
    """,
    "refuse_ledger_edit": """
        BEGIN
            RAISE EXCEPTION 'price_decisions is append-only' USING ERRCODE = 'restrict_violation';
        END
    """,
}
_TRIGGERS = (
    """
    CREATE TRIGGER policies_are_immutable BEFORE UPDATE OR DELETE ON policies
        FOR EACH ROW EXECUTE FUNCTION refuse_policy_edit()
    """,
    """
    CREATE CONSTRAINT TRIGGER one_policy_is_active AFTER UPDATE ON policies
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_active_policy()
    """,
    """
    CREATE TRIGGER price_decisions_are_append_only BEFORE UPDATE OR DELETE ON price_decisions
        FOR EACH ROW EXECUTE FUNCTION refuse_ledger_edit()
    """,
)


def upgrade() -> None:
    _create_catalogue()
    _create_policies()
    _create_discounts()
    _create_ledger()
    _create_price_history()
    for name, body in _FUNCTIONS.items():
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    for trigger in _TRIGGERS:
        op.execute(trigger)
    _seed()


def downgrade() -> None:
    for table in (
        "price_history", "price_decisions", "discounts", "policies", "batches", "products", "stores",
    ):  # fmt: skip
        op.drop_table(table)
    for name in _FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}()")
    for enum in (_REASON.name, _KIND.name):
        op.execute(f"DROP TYPE {enum}")


def _create_catalogue() -> None:
    op.create_table(
        "stores",
        sa.Column("id", sa.Integer, sa.Identity(always=True), nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("time_zone", sa.String, server_default=sa.text("'UTC'"), nullable=False),
        _created_at(),
        sa.PrimaryKeyConstraint("id", name="pk_stores"),
        sa.UniqueConstraint("code", name="uq_stores_code"),
        _check("stores", "code", "code ~ '^[a-z0-9][a-z0-9_-]{0,39}$'"),
        _check("stores", "time_zone", "length(time_zone) BETWEEN 1 AND 64"),
        _check("stores", "known_time_zone", "(timestamp '2000-01-01' AT TIME ZONE time_zone) IS NOT NULL"),
    )
    op.create_table(
        "products",
        sa.Column("id", sa.Integer, sa.Identity(always=True), nullable=False),
        sa.Column("sku", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("category", sa.String, nullable=False),
        sa.Column("category_key", sa.String, nullable=False),
        sa.Column("base_price", _MONEY, nullable=False),
        sa.Column("unit_cost", _MONEY),
        _created_at(),
        _updated_at(),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
        sa.UniqueConstraint("sku", name="uq_products_sku"),
        _check("products", "sku", "length(sku) BETWEEN 1 AND 64"),
        _check("products", "name", "length(name) BETWEEN 1 AND 200"),
        _check("products", "category", "length(category) BETWEEN 1 AND 100"),
        _check("products", "category_key", "length(category_key) BETWEEN 1 AND 300"),
        _check("products", "base_price", "base_price BETWEEN 0.01 AND 9999999999.99"),
        _check("products", "unit_cost", "unit_cost BETWEEN 0 AND 9999999999.99"),
    )
    op.create_index("ix_products_category_key", "products", ["category_key"])
    op.create_table(
        "batches",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("store_id", sa.Integer, nullable=False),
        sa.Column("product_id", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("expiry_date", sa.Date, nullable=False),
        sa.Column("lot", sa.String, server_default=sa.text("''"), nullable=False),
        _created_at(),
        _updated_at(),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sa.UniqueConstraint(
            "store_id",
            "product_id",
            "lot",
            "expiry_date",
            name="uq_batches_store_id_product_id_lot_expiry_date",
        ),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name="fk_batches_store_id_stores"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="fk_batches_product_id_products"),
        _check("batches", "quantity", "quantity >= 0"),
        _check("batches", "expiry_date", "expiry_date BETWEEN '1970-01-01' AND '9999-12-31'"),
        _check("batches", "lot", "length(lot) <= 64"),
    )
    op.create_index("ix_batches_expiry_date", "batches", ["expiry_date"])
    op.create_index("ix_batches_product_id", "batches", ["product_id"])


def _create_policies() -> None:
    op.create_table(
        "policies",
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("document", JSONB, nullable=False),
        sa.Column("comment", sa.String, server_default=sa.text("''"), nullable=False),
        sa.Column("active", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.Column("activated_at", _INSTANT),
        _created_at(),
        sa.PrimaryKeyConstraint("version", name="pk_policies"),
        _check("policies", "version", "version > 0"),
        _check("policies", "comment", "length(comment) <= 500"),
        _check("policies", "activated_at", "activated_at IS NOT NULL OR NOT active"),
    )
    op.create_index(
        "uq_policies_active", "policies", ["active"], unique=True, postgresql_where=sa.text("active")
    )


def _create_discounts() -> None:
    op.create_table(
        "discounts",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.BigInteger, nullable=False),
        sa.Column("price", _MONEY, nullable=False),
        sa.Column("base_price", _MONEY, nullable=False),
        sa.Column("unit_cost", _MONEY),
        sa.Column("rate", _RATE, nullable=False),
        sa.Column("rule", sa.String),
        sa.Column("limits", sa.SmallInteger, nullable=False),
        sa.Column("policy_version", sa.Integer, nullable=False),
        sa.Column("expiry_date", sa.Date, nullable=False),
        sa.Column("days_to_expiry", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("opened_at", _INSTANT, nullable=False),
        sa.Column("changed_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", name="pk_discounts"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name="fk_discounts_batch_id_batches"),
        _check("discounts", "price", "price > 0 AND price < base_price"),
        _check("discounts", "rate", "rate >= 0 AND rate < 1"),
        _check("discounts", "limits", "limits BETWEEN 0 AND 63"),
        postgresql_with={"fillfactor": "80"},
    )


def _create_ledger() -> None:
    op.create_table(
        "price_decisions",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("decided_at", _INSTANT, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("kind", _KIND, nullable=False),
        sa.Column("close_reason", _REASON),
        sa.Column("store_id", sa.Integer, nullable=False),
        sa.Column("product_id", sa.Integer, nullable=False),
        sa.Column("price", _MONEY),
        sa.Column("previous_price", _MONEY),
        sa.Column("base_price", _MONEY, nullable=False),
        sa.Column("unit_cost", _MONEY),
        sa.Column("rate", _RATE),
        sa.Column("rule", sa.String),
        sa.Column("limits", sa.SmallInteger, nullable=False),
        sa.Column("policy_version", sa.Integer, nullable=False),
        sa.Column("expiry_date", sa.Date, nullable=False),
        sa.Column("days_to_expiry", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "decided_at", "id", name="pk_price_decisions"),
        _check("price_decisions", "close_reason", "(kind = 'closed') = (close_reason IS NOT NULL)"),
        _check("price_decisions", "price", "(kind = 'closed') = (price IS NULL)"),
        _check("price_decisions", "previous_price", "(kind = 'opened') = (previous_price IS NULL)"),
        postgresql_partition_by="RANGE (decided_at)",
    )


def _create_price_history() -> None:
    op.create_table(
        "price_history",
        sa.Column("product_id", sa.Integer, nullable=False),
        sa.Column("store_id", sa.Integer, nullable=False),
        sa.Column("slot_at", _INSTANT, nullable=False),
        sa.Column("price", _MONEY, nullable=False),
        sa.Column("base_price", _MONEY, nullable=False),
        sa.PrimaryKeyConstraint(
            "product_id", "store_id", "slot_at",
            name="pk_price_history", postgresql_include=["price", "base_price"],
        ),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="fk_price_history_product_id_products"),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name="fk_price_history_store_id_stores"),
        _check("price_history", "price", "price > 0 AND price <= base_price"),
        _check(
            "price_history", "slot_at",
            "date_bin('6 hours', slot_at, timestamptz '2000-01-01 00:00:00+00') = slot_at",
        ),
        postgresql_partition_by="RANGE (slot_at)",
    )  # fmt: skip
    op.create_index("ix_price_history_slot_at", "price_history", ["slot_at"])


def _seed() -> None:
    op.execute("INSERT INTO stores (code) VALUES ('main')")
    policies = sa.table(
        "policies",
        sa.column("version"),
        sa.column("document", JSONB),
        sa.column("comment"),
        sa.column("active"),
        sa.column("activated_at"),
    )
    op.execute(
        policies.insert().values(
            version=1,
            document=default_policy().document(),
            comment="the default policy",
            active=True,
            activated_at=sa.func.now(),
        )
    )


def _created_at() -> sa.Column[object]:
    return sa.Column("created_at", _INSTANT, server_default=sa.text("now()"), nullable=False)


def _updated_at() -> sa.Column[object]:
    return sa.Column("updated_at", _INSTANT, server_default=sa.text("now()"), nullable=False)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))
