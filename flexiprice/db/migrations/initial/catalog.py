"""Stores, products and batches."""

import sqlalchemy as sa
from alembic import op

from flexiprice.db.migrations.initial.columns import MONEY, check, created_at, drop, updated_at


def create() -> None:
    op.create_table(
        "stores",
        sa.Column("id", sa.Integer, sa.Identity(always=True), nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("time_zone", sa.String, server_default=sa.text("'UTC'"), nullable=False),
        created_at(),
        updated_at(),
        sa.PrimaryKeyConstraint("id", name="pk_stores"),
        sa.UniqueConstraint("code", name="uq_stores_code"),
        check("stores", "code", "code ~ '^[a-z0-9][a-z0-9_-]{0,39}$'"),
        check("stores", "time_zone", "length(time_zone) BETWEEN 1 AND 64"),
        check("stores", "known_time_zone", "(timestamp '2000-01-01' AT TIME ZONE time_zone) IS NOT NULL"),
    )
    op.create_table(
        "products",
        sa.Column("id", sa.Integer, sa.Identity(always=True), nullable=False),
        sa.Column("sku", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("category", sa.String, nullable=False),
        sa.Column("category_key", sa.String, nullable=False),
        sa.Column("base_price", MONEY, nullable=False),
        sa.Column("unit_cost", MONEY),
        created_at(),
        updated_at(),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
        sa.UniqueConstraint("sku", name="uq_products_sku"),
        check("products", "sku", "length(sku) BETWEEN 1 AND 64"),
        check("products", "name", "length(name) BETWEEN 1 AND 200"),
        check("products", "category", "length(category) BETWEEN 1 AND 100"),
        check("products", "category_key", "length(category_key) BETWEEN 1 AND 300"),
        check("products", "base_price", "base_price BETWEEN 0.01 AND 9999999999.99"),
        check("products", "unit_cost", "unit_cost BETWEEN 0 AND 9999999999.99"),
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
        created_at(),
        updated_at(),
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
        check("batches", "quantity", "quantity >= 0"),
        check("batches", "expiry_date", "expiry_date BETWEEN '1970-01-01' AND '9999-12-31'"),
        check("batches", "lot", "length(lot) <= 64"),
    )
    op.create_index("ix_batches_expiry_date", "batches", ["expiry_date"])
    op.create_index("ix_batches_product_id", "batches", ["product_id"])
    op.execute("INSERT INTO stores (code) VALUES ('main')")


def remove() -> None:
    drop(("batches", "products", "stores"))
