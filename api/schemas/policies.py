"""Models of versions of the pricing policy."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from api.schemas.tasks import RepricingOut
from api.schemas.values import RequestModel, ResponseModel
from flexiprice.domain.policy_lint import PolicyFinding
from flexiprice.domain.validation_reasons import TextPattern
from flexiprice.pricing.policy_versions import PolicyVersion

_MAX_WARNINGS = 100
_DOCUMENT: JsonDict = {
    "max_discount": "0.70",
    "floor_fraction": "0.25",
    "rounding_step": "0.01",
    "min_change": "0.01",
    "price_only_down": True,
    "rules": [
        {"name": "last day", "days_to_expiry": {"max": 0}, "discount": "0.50"},
        {
            "name": "overstock",
            "days_to_expiry": {"min": 1, "max": 3},
            "quantity": {"min": 50},
            "discount": "0.40",
        },
    ],
    "categories": {
        "bakery": {
            "floor_fraction": "0.20",
            "rules": [{"name": "bakery last day", "days_to_expiry": {"max": 0}, "discount": "0.70"}],
        }
    },
}


class PolicyCreate(RequestModel):
    """A policy to store as the next version; it is not active until it is activated."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"policy": _DOCUMENT, "comment": "Bakery: go lower on the last day"}]}
    )

    policy: dict[str, object] = Field(description="The policy document.")
    comment: Annotated[
        str, StringConstraints(max_length=500), TextPattern(r"[^\x00]*", "must not have NUL characters")
    ] = ""


class PolicyWarningOut(ResponseModel):
    """A warning of the linter: the policy is valid, but probably not as intended."""

    code: str
    message: str
    rules: list[str] = Field(description="Names of the affected rules.")
    example: str | None = Field(description="An example batch that shows the problem.")


class PolicySummaryOut(ResponseModel):
    """A version of the policy, without its document."""

    version: int = Field(examples=[3])
    comment: str
    active: bool
    created_at: datetime
    activated_at: datetime | None


class PolicyOut(PolicySummaryOut):
    """A version of the policy."""

    policy: dict[str, object] = Field(examples=[_DOCUMENT])

    @classmethod
    def of_version(cls, version: PolicyVersion) -> Self:
        """Converts a version."""
        shown = {name: getattr(version, name) for name in PolicySummaryOut.model_fields}
        return cls.model_validate({**shown, "policy": version.policy.document()})


class CreatedPolicyOut(PolicyOut):
    """A new version with the linter's warnings."""

    warnings: list[PolicyWarningOut] = Field(description="The first 100 warnings of the linter.")

    @classmethod
    def of_linted(cls, version: PolicyVersion, findings: list[PolicyFinding]) -> Self:
        """Converts a version and its findings."""
        shown = PolicyOut.of_version(version).model_dump()
        return cls.model_validate(
            {**shown, "warnings": [PolicyWarningOut.of(finding) for finding in findings[:_MAX_WARNINGS]]}
        )


class ActivatedPolicyOut(PolicySummaryOut):
    """The version that was activated, with the repricing that follows."""

    repricing: RepricingOut
