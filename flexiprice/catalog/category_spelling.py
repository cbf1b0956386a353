"""One spelling for each category, however its products spell it."""

from sqlalchemy import CTE, collate, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from flexiprice.db.tables import Product


def category_spellings() -> CTE:
    """Columns `category_key` and `category`: what a category is called in every query that groups by it.

    It is the spelling that most products have, the first by code point of several.
    """
    used = (
        select(Product.category_key, Product.category, func.count().label("products"))
        .group_by(Product.category_key, Product.category)
        .subquery()
    ).c
    return (
        select(used.category_key, used.category)
        .ext(distinct_on(used.category_key))
        .order_by(used.category_key, used.products.desc(), collate(used.category, "C"))
        .cte("category_spellings")
    )
