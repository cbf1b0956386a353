"""Batches and open discounts as rows that a policy's SQL quotes, and its answers as quotes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import (
    BigInteger,
    Date,
    Enum,
    FromClause,
    Integer,
    Numeric,
    String,
    Text,
    bindparam,
    column,
    func,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from flexiprice.db.tables import Product
from flexiprice.domain.policy import PricingPolicy
from flexiprice.domain.quantity import to_thousandths
from flexiprice.domain.quote import CurrentDiscount, PricedBatch, Quote, limits_from_mask
from flexiprice.pricing.sql.compiled_policy import CompiledPolicy
from flexiprice.pricing.sql.policy import select_quotes
from tests.support.random_pricing import DAY

COLUMNS = (
    column("place", Integer),
    column("category_key", Text),
    column("base_price", Numeric(12, 2)),
    column("unit_cost", Numeric(12, 2)),
    column("quantity", BigInteger),
    column("unit", Product.unit.type),
    column("expiry_date", Date),
    column("day", Date),
    column("current_price", Numeric(12, 2)),
    column("current_base_price", Numeric(12, 2)),
    column("current_unit_cost", Numeric(12, 2)),
    column("current_expiry_date", Date),
    column("current_policy_version", Integer),
)


@dataclass(frozen=True)
class Case:
    """A batch and the discount that is open for it, priced on `DAY`."""

    batch: PricedBatch
    current: CurrentDiscount | None

    def row(self, place: int) -> dict[str, object]:
        names = ("price", "base_price", "unit_cost", "expiry_date", "policy_version")
        held = {f"current_{name}": getattr(self.current, name, None) for name in names}
        own = {name: getattr(self.batch, name) for name in PricedBatch.__slots__}
        own["quantity"] = to_thousandths(self.batch.quantity)
        return {"place": place, "day": DAY, **own, **held}


def candidates(cases: Sequence[Case]) -> FromClause:
    """The cases as something to select from, numbered by `place`."""
    rows = json.dumps([case.row(place) for place, case in enumerate(cases)], default=str)
    return (
        func.json_to_recordset(bindparam(None, rows, String).op("::")(text("json")))
        .table_valued(*COLUMNS, name="candidates")
        .render_derived(with_types=True)
    )


async def create_unit_type(connection: AsyncConnection) -> None:
    """Creates the type of `unit` in a database without FlexiPrice's tables."""
    await connection.run_sync(lambda sync: cast("Enum", Product.unit.type).create(sync))


async def quoted_by_sql(
    connection: AsyncConnection, policy: PricingPolicy, cases: Sequence[Case]
) -> list[Quote | None]:
    """PostgreSQL's quote for each case, by one query."""
    quotes = select_quotes(CompiledPolicy.of(policy), candidates(cases)).subquery()
    found = await connection.execute(select(quotes).order_by(quotes.c.place))
    return [
        None if row.price is None else Quote(row.price, row.rate, row.rule, limits_from_mask(row.limits))
        for row in found
    ]
