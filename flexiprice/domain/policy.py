"""The pricing policy: a validated, immutable document of discount rules."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Self, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    StrictBool,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from flexiprice.domain.category import category_key
from flexiprice.domain.characters import refuse_hidden_in_name
from flexiprice.domain.money import CENT, MAX_PRICE
from flexiprice.domain.quantity import Unit, to_thousandths
from flexiprice.domain.ranges import QuantityRange, Range, StrictModel, at_most
from flexiprice.errors import InvalidPolicy, Problem

MAX_DAYS_TO_EXPIRY = 365
MAX_RULES_PER_SCOPE = 100
MAX_CATEGORIES = 500
MAX_RULES = 2_000


def _regular_step(step: Decimal) -> Decimal:
    # Multiples of any other step have different endings: 0.99 leads to 1.98 and 2.97.
    if (1 % step if step < 1 else step % 1) != 0:
        raise PydanticCustomError(
            "rounding_step",
            "{step} is no step for prices: they would be {first}, {second}, {third}. Write a step that "
            "divides 1.00 (0.01, 0.02, 0.05, 0.10, 0.20, 0.25, 0.50) or a whole amount (1, 2, 5, 10); a "
            "step is not the ending of prices",
            {"step": str(step), "first": str(step), "second": str(2 * step), "third": str(3 * step)},
        )
    return step


Name = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(refuse_hidden_in_name),
]
CategoryKey = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=300), AfterValidator(refuse_hidden_in_name)
]
Fraction = Annotated[Decimal, Field(ge=0, le=1, decimal_places=4)]
DiscountRate = Annotated[Decimal, Field(ge=0, lt=1, decimal_places=4)]
Margin = Annotated[Decimal, Field(ge=0, le=100, decimal_places=4)]
RoundingStep = Annotated[
    Decimal, Field(ge=CENT, le=MAX_PRICE, decimal_places=2), AfterValidator(_regular_step)
]
PriceChange = Annotated[Decimal, Field(ge=0, le=MAX_PRICE, decimal_places=2)]


class PricingRule(StrictModel):
    """A discount rate, and the batches that it matches.

    Attributes:
        name: explains a price to people; unique within the policy.
        days_to_expiry: days left to the expiry date, 0 on the last day of sale.
        quantity: stock, in the product's unit.
        unit: matches products in this unit only; None matches all.
        discount: fraction of the base price; 0 is an explicit "no discount".
    """

    name: Name
    days_to_expiry: Annotated[Range, at_most(MAX_DAYS_TO_EXPIRY)] = Range()
    quantity: QuantityRange = QuantityRange()
    unit: Unit | None = None
    discount: DiscountRate

    @field_validator("unit")
    @classmethod
    def _counts_whole_pieces(cls, unit: Unit | None, info: ValidationInfo) -> Unit | None:
        quantity = info.data.get("quantity", QuantityRange())
        ends = [to_thousandths(end) for end in (quantity.min, quantity.max) if end is not None]
        if unit is Unit.EACH and any(end % unit.step for end in ends):
            raise PydanticCustomError(
                "fraction_of_each", "each counts whole pieces, and the quantity has a fraction"
            )
        return unit

    def counts(self, unit: Unit) -> bool:
        """Whether the rule applies to products in this unit."""
        return self.unit in (None, unit)

    def matches(self, days_to_expiry: int, quantity: Decimal, unit: Unit) -> bool:
        """Whether the rule matches a batch with these days to expiry and this stock in the unit."""
        return self.counts(unit) and days_to_expiry in self.days_to_expiry and quantity in self.quantity


Rules = Annotated[tuple[PricingRule, ...], Field(max_length=MAX_RULES_PER_SCOPE)]


def by_discount(rules: Iterable[PricingRule]) -> list[PricingRule]:
    """Sorts rules by precedence: the largest discount first, ties in the order of the document."""
    return sorted(rules, key=lambda rule: -rule.discount)


class CategoryScope(StrictModel):
    """A category's own settings and rules; the default scope supplies those that it omits."""

    floor_fraction: Fraction | None = None
    rules: Rules = ()


def _with_category_keys(categories: object) -> object:
    if not isinstance(categories, Mapping):
        return categories
    keyed: dict[object, object] = {}
    for name, scope in cast("Mapping[object, object]", categories).items():
        key = category_key(name) if isinstance(name, str) else name
        if key in keyed:
            raise PydanticCustomError(
                "duplicate_name", "{name} is the same category as an earlier one", {"name": repr(name)}
            )
        keyed[key] = scope
    return keyed


class PricingPolicy(StrictModel):
    """Rules and limits that decide the discount of a batch.

    Attributes:
        max_discount: the largest discount rate any rule can give.
        floor_fraction: no price goes below this fraction of the base price.
        min_margin_over_cost: no price goes below cost × (1 + this), where a product has a cost.
        rounding_step: prices are multiples of this amount, which divides 1.00 or is a whole amount.
        min_change: a difference smaller than this amount neither changes nor opens a price.
        price_only_down: an open price is not raised while only days and stock change.
        rules: the default scope, used where no rule of the batch's category matches.
        categories: scopes by category key, see `category_key`.
    """

    max_discount: DiscountRate = Decimal("0.70")
    floor_fraction: Fraction = Decimal("0.25")
    min_margin_over_cost: Margin | None = None
    rounding_step: RoundingStep = CENT
    min_change: PriceChange = CENT
    price_only_down: StrictBool = True
    rules: Rules = ()
    categories: Annotated[
        Mapping[CategoryKey, CategoryScope],
        Field(max_length=MAX_CATEGORIES),
        BeforeValidator(_with_category_keys),
    ] = {}

    _version: int | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _names_are_unambiguous(self) -> Self:
        paths: defaultdict[str, list[str]] = defaultdict(list)
        for path, rule in self.rules_with_paths():
            paths[rule.name].append(path)
        if sum(map(len, paths.values())) > MAX_RULES:
            raise PydanticCustomError(
                "too_long", "has more than {bound} rules over all scopes", {"bound": MAX_RULES}
            )
        repeated = {name: where for name, where in paths.items() if len(where) > 1}
        if repeated:
            listed = "; ".join(f"{name!r} at {', '.join(where)}" for name, where in repeated.items())
            raise PydanticCustomError(
                "duplicate_name",
                "each rule needs a unique name, but {listed}",
                {"listed": listed, "rules": list(repeated)},
            )
        return self

    def rules_with_paths(self) -> Iterator[tuple[str, PricingRule]]:
        """Yields every rule with its path in the document, the default scope first."""
        for index, rule in enumerate(self.rules):
            yield f"rules[{index}]", rule
        for key, scope in self.categories.items():
            for index, rule in enumerate(scope.rules):
                yield f"categories.{key}.rules[{index}]", rule

    @property
    def version(self) -> int | None:
        """The stored version; None if the policy is not stored. It is not part of the document."""
        return self._version

    def with_version(self, version: int) -> Self:
        """Returns a copy with the given stored version."""
        versioned = self.model_copy()
        versioned._version = version  # noqa: SLF001 - of its own class
        return versioned

    def document(self) -> dict[str, object]:
        """Returns the policy as JSON-able values, decimals as strings; `parse_policy` is the inverse."""
        return self.model_dump(mode="json", exclude_none=True)


@dataclass(frozen=True, slots=True)
class PolicyProblem(Problem):
    """An error in a policy document.

    Attributes:
        code: the kind of problem, `unknown_key` or `duplicate_name` among others.
        rules: names of the rules concerned, if any.
    """

    code: str = "invalid"
    rules: tuple[str, ...] = ()


def parse_policy(document: Mapping[str, object]) -> PricingPolicy:
    """Parses a policy document. The policy has no version.

    Raises:
        InvalidPolicy: has every `PolicyProblem` found, each with its path in the document.
    """
    try:
        return PricingPolicy.model_validate(dict(document))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise InvalidPolicy([_problem(details) for details in found]) from None


_PLAINER = {
    "missing": "is required",
    "tuple_type": "should be a list",
    "dict_type": "should be a mapping",
    "mapping_type": "should be a mapping",
    "model_type": "should be a mapping",
    "decimal_type": "should be a number",
    "decimal_parsing": "should be a number",
    "int_type": "should be a whole number",
    "string_type": "should be text; quote it if it looks like a number",
}


def _problem(details: ErrorDetails) -> PolicyProblem:
    path = ""
    for step in details["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    if details["type"] == "extra_forbidden":
        return PolicyProblem(path, "unknown key", code="unknown_key")
    code = "duplicate_name" if details["type"] == "duplicate_name" else "invalid"
    reason = _PLAINER.get(details["type"]) or details["msg"].removeprefix("Input ").removeprefix(
        "Decimal input "
    )
    return PolicyProblem(path, reason, code, tuple(details.get("ctx", {}).get("rules", ())))
