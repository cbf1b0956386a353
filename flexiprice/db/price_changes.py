"""What a recompute changes, as one SELECT of only the rows that change, and how many there may be.

The SELECT gives the columns of `changes_table.CHANGES`, as those of `closings` do.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, case, cast, func, literal, null, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.candidates import Scope, join_candidates, priced_products
from flexiprice.db.cents import number, price_of, rate_of
from flexiprice.db.fingerprint import batch_fingerprint
from flexiprice.db.policy_sql import Columns, CurrentColumns, batch_terms, fenced, quote_terms
from flexiprice.db.tables import Batch, Discount, PriceDecision, table_of
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.policy import PricingPolicy

KIND = PriceDecision.kind.type
REASON = PriceDecision.close_reason.type
# More than these go back to the server as "all": the list would weigh on the client, and the look-up of
# single batches would cost more than a pass over all of them.
_MOST_BATCHES_TO_NAME = 100_000


@dataclass(frozen=True, slots=True)
class Due:
    """What a pass over the candidates found.

    Attributes:
        considered: how many candidates there are.
        may_change: for how many of them quoting can change anything.
        batch_ids: those; None where there are too many to name.
    """

    considered: int
    may_change: int
    batch_ids: list[int] | None


async def find_due(session: AsyncSession, policy: PricingPolicy, scope: Scope) -> Due:
    """Counts the candidates and finds those that quoting can change, by their fingerprints."""
    terms = priced_products(policy, scope).c
    # No more than is needed: these rows are looked up once a batch, and a smaller table is looked up faster.
    products = fenced(select(terms.product_id, terms.fingerprint, terms.scope, terms.opening_rate))
    candidates = join_candidates(scope, products)
    ids = func.array_agg(table_of(Batch).c.id, type_=ARRAY(BigInteger)).filter(candidates.is_due(policy))
    passed = (
        select(func.count().label("considered"), ids.label("ids"))
        .select_from(candidates.source)
        .where(candidates.is_candidate)
        .subquery()
    )
    number_of = func.coalesce(func.cardinality(passed.c.ids), 0)
    named = case((number_of <= _MOST_BATCHES_TO_NAME, passed.c.ids))
    considered, may_change, batch_ids = (
        await session.execute(select(passed.c.considered, number_of, named))
    ).one()
    return Due(considered, may_change, batch_ids if may_change else [])


def select_changes(
    policy: PricingPolicy, scope: Scope, due: Due, *, version_counts: bool = True
) -> Select[*tuple[Any, ...]]:
    """The decisions that a policy makes: discounts that open, change and close.

    Rows without a `kind` are no decisions: their price stays as it is, for all its reasons, and only the
    fingerprint is new (after another version of FlexiPrice has come to compute it otherwise, say).

    Args:
        policy: without a version it holds no open price.
        scope: the batches.
        due: those of them that quoting can change.
        version_counts: whether another policy version alone makes a change.
    """
    if due.batch_ids is not None:
        scope = replace(scope, batch_ids=due.batch_ids)
    products = priced_products(policy, scope)
    candidates = join_candidates(scope, products)
    batch, open_ = table_of(Batch).c, table_of(Discount).c
    # Without the version, which is all that another policy with the same outcome changes.
    same_basis = and_(
        open_.base_price == products.c.base_price,
        open_.unit_cost.is_not_distinct_from(products.c.unit_cost),
        open_.expiry_date == batch.expiry_date,
    )
    terms = batch_terms(
        policy,
        products.c,
        quantity=batch.quantity,
        days_to_expiry=candidates.days_to_expiry,
        expiry_date=batch.expiry_date,
        current=CurrentColumns(
            open_.price, open_.base_price, open_.unit_cost, open_.expiry_date, open_.policy_version
        ),
    )
    joined = (
        select(
            batch.id.label("batch_id"),
            batch.store_id,
            batch.product_id,
            batch.quantity,
            batch.expiry_date,
            candidates.days_to_expiry.label("days_to_expiry"),
            products.c.base_price,
            products.c.unit_cost,
            products.c.fingerprint.label("product_fingerprint"),
            open_.price.label("previous_price"),
            open_.rule.label("current_rule"),
            open_.limits.label("current_limits"),
            *([] if version_counts else [same_basis.label("same_basis")]),
            *terms,
        )
        .select_from(candidates.source)
        .where(candidates.is_candidate, candidates.is_due(policy))
    )
    quoted = quote_terms(policy, fenced(joined)).c
    return _changes(policy, quoted, _differs(quoted, version_counts=version_counts)).where(
        or_(quoted.price_cents.is_not(None), quoted.current_cents.is_not(None))
    )


def _differs(quoted: Columns, *, version_counts: bool) -> ColumnElement[bool]:
    unchanged = quoted.inputs_unchanged if version_counts else quoted.same_basis
    return or_(
        quoted.price_cents != quoted.current_cents,
        quoted.limits != quoted.current_limits,
        quoted.rule.is_distinct_from(quoted.current_rule),
        unchanged.is_not(True),
    )


def _changes(
    policy: PricingPolicy, quoted: Columns, differs: ColumnElement[bool]
) -> Select[*tuple[Any, ...]]:
    kind = case(
        (quoted.price_cents.is_(None), literal(DecisionKind.CLOSED, KIND)),
        (quoted.current_cents.is_(None), literal(DecisionKind.OPENED, KIND)),
        (differs, literal(DecisionKind.CHANGED, KIND)),
    )
    reason = case(
        (quoted.price_cents.is_not(None), cast(null(), REASON)),
        (quoted.days_to_expiry < number(0), literal(CloseReason.EXPIRED, REASON)),
        (quoted.quantity == number(0), literal(CloseReason.SOLD_OUT, REASON)),
        else_=literal(CloseReason.NO_DISCOUNT, REASON),
    )
    return select(
        quoted.batch_id,
        quoted.store_id,
        quoted.product_id,
        kind.label("kind"),
        reason.label("close_reason"),
        price_of(quoted.price_cents).label("price"),
        quoted.previous_price,
        quoted.base_price,
        quoted.unit_cost,
        rate_of(quoted.price_cents, quoted.base_cents).label("rate"),
        quoted.rule,
        func.coalesce(quoted.limits, number(0)).label("limits"),
        number(policy.version or 0).label("policy_version"),
        quoted.expiry_date,
        quoted.days_to_expiry,
        quoted.quantity,
        batch_fingerprint(
            quoted.product_fingerprint, matched=quoted.matched, expiry_date=quoted.expiry_date
        ).label("fingerprint"),
    )
