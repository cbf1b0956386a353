"""The policy that FlexiPrice starts with."""

from importlib import resources

from flexiprice.domain.policy import PricingPolicy
from flexiprice.policies.text import parse_policy_text


def default_policy_text() -> str:
    """The default policy as YAML, with a comment on each choice."""
    return resources.files("flexiprice.policies").joinpath("default_policy.yaml").read_text(encoding="utf-8")


def default_policy() -> PricingPolicy:
    """The default policy, without a version."""
    return parse_policy_text(default_policy_text())
