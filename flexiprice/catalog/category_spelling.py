"""The display name of each category, chosen from the spellings of its products."""

from sqlalchemy import CTE, collate, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from flexiprice.db.tables import Product


def category_spellings() -> CTE:
    """Returns the display name `category` by `category_key`, for queries that group by category.

    It is the most frequent spelling; on a tie, the first by code point.
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
