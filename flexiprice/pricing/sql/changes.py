"""Computes the change set of a recompute in one SELECT that returns only rows that change.

Its columns are those of `change_set.PRICE_CHANGES`.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Select, and_, case, collate, func, or_, select

from flexiprice.db.statements import CompiledStatement, compile_statement, optimization_barrier
from flexiprice.db.tables import Batch, Discount, table_of
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.pricing.sql.candidates import join_candidates
from flexiprice.pricing.sql.change_set import typed_columns
from flexiprice.pricing.sql.compiled_policy import CompiledPolicy
from flexiprice.pricing.sql.fingerprint import batch_fingerprint
from flexiprice.pricing.sql.policy import Columns, CurrentColumns, batch_terms, quote_terms
from flexiprice.pricing.sql.priced_products import priced_products
from flexiprice.pricing.sql.selection import SelectionFilter
from flexiprice.pricing.sql.values import enum_literal, int_literal, no_reason, price_of, rate_of
from flexiprice.pricing.sql.writes import compile_writing


@lru_cache(maxsize=64)
def compile_changes(
    dialect: Dialect, policy: CompiledPolicy, filters: frozenset[SelectionFilter], *, version_counts: bool
) -> CompiledStatement:
    """Compiles `select_changes` of a policy."""
    return compile_statement(select_changes(policy, filters, version_counts=version_counts), dialect)


@lru_cache(maxsize=64)
def compile_writing_changes(
    dialect: Dialect, policy: CompiledPolicy, filters: frozenset[SelectionFilter]
) -> CompiledStatement:
    """Compiles the statement that computes and writes the rows of `select_changes`."""
    return compile_writing(select_changes(policy, filters, version_counts=True), dialect)


def select_changes(
    policy: CompiledPolicy, filters: Collection[SelectionFilter], *, version_counts: bool
) -> Select[*tuple[Any, ...]]:
    """Selects the decisions of a policy: discounts that open, change and close.

    Rows without a `kind` are no decisions: price and reasons stay, and only the fingerprint changes (for
    example, because another version of FlexiPrice computes it differently).

    Args:
        policy: a policy without a version holds no open price.
        filters: the filters of the selection; their values are parameters.
        version_counts: whether a different policy version alone is a change.
    """
    candidates = join_candidates(priced_products(policy, filters), filters)
    products = candidates.products
    batch, open_ = table_of(Batch).c, table_of(Discount).c
    # Without the policy version: a policy with the same outcome changes nothing else.
    same_inputs = and_(
        open_.base_price == products.base_price,
        open_.unit_cost.is_not_distinct_from(products.unit_cost),
        open_.expiry_date == batch.expiry_date,
    )
    terms = batch_terms(
        policy,
        products,
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
            products.base_price.label("base_price"),
            products.unit_cost,
            products.fingerprint.label("product_fingerprint"),
            open_.price.label("previous_price"),
            open_.rule.label("current_rule"),
            open_.limits.label("current_limits"),
            *([] if version_counts else [same_inputs.label("same_inputs")]),
            *terms,
        )
        .select_from(candidates.source)
        .where(candidates.is_candidate, candidates.is_stale(policy))
    )
    quoted = quote_terms(policy, optimization_barrier(joined)).c
    changes = _changes(policy, quoted, _differs(quoted, version_counts=version_counts))
    stays_without = and_(quoted.price_cents.is_(None), quoted.current_cents.is_(None))
    return changes.where(~stays_without)


def _differs(quoted: Columns, *, version_counts: bool) -> ColumnElement[bool]:
    unchanged = quoted.inputs_unchanged if version_counts else quoted.same_inputs
    return or_(
        quoted.price_cents != quoted.current_cents,
        quoted.limits != quoted.current_limits,
        quoted.rule.is_distinct_from(quoted.current_rule),
        unchanged.is_not(True),
    )


def _changes(
    policy: CompiledPolicy, quoted: Columns, differs: ColumnElement[bool]
) -> Select[*tuple[Any, ...]]:
    kind = case(
        (quoted.price_cents.is_(None), enum_literal(DecisionKind.CLOSED)),
        (quoted.current_cents.is_(None), enum_literal(DecisionKind.OPENED)),
        (differs, enum_literal(DecisionKind.CHANGED)),
    )
    reason = case(
        (quoted.price_cents.is_not(None), no_reason()),
        (quoted.days_to_expiry < int_literal(0), enum_literal(CloseReason.EXPIRED)),
        (quoted.quantity == int_literal(0), enum_literal(CloseReason.SOLD_OUT)),
        else_=enum_literal(CloseReason.NO_DISCOUNT),
    )
    return select(
        *typed_columns(
            batch_id=quoted.batch_id,
            store_id=quoted.store_id,
            product_id=quoted.product_id,
            kind=kind,
            close_reason=reason,
            price=price_of(quoted.price_cents),
            previous_price=quoted.previous_price,
            base_price=quoted.base_price,
            unit_cost=quoted.unit_cost,
            rate=rate_of(quoted.price_cents, quoted.base_cents),
            # The collation is part of a column's type, and it is "C" only if the policy has rules.
            rule=collate(quoted.rule, "default"),
            limits=func.coalesce(quoted.limits, int_literal(0)),
            policy_version=int_literal(policy.version or 0),
            expiry_date=quoted.expiry_date,
            days_to_expiry=quoted.days_to_expiry,
            quantity=quoted.quantity,
            fingerprint=batch_fingerprint(
                quoted.product_fingerprint, matched=quoted.matched, expiry_date=quoted.expiry_date
            ),
        )
    )
