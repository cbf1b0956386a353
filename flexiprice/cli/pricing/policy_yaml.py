"""A policy as YAML that a person can read, change and store again."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import cast

import yaml

from flexiprice.domain.policy import PricingPolicy

_WIDTH = 110


class _OnOneLine(dict[str, object]):
    """A rule: written as `{name: …, discount: …}`."""


class _PolicyDumper(yaml.SafeDumper):
    """Writes decimals as the plain numbers that they are, and rules on one line each."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - overrides
        """Repeats what occurs twice, because a policy has no aliases."""
        return True

    def represent_decimal(self, number: Decimal) -> yaml.ScalarNode:
        """A number without quotes."""
        kind = "int" if number == number.to_integral_value() and number.as_tuple().exponent == 0 else "float"
        return self.represent_scalar(f"tag:yaml.org,2002:{kind}", f"{number:f}")

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Text in quotes unless it begins with a letter: `1e3` is a number to some readers of YAML."""
        style = None if text[:1].isalpha() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def represent_rule(self, rule: _OnOneLine) -> yaml.MappingNode:
        """A mapping in braces."""
        return self.represent_mapping("tag:yaml.org,2002:map", rule, flow_style=True)


_PolicyDumper.add_representer(Decimal, _PolicyDumper.represent_decimal)
_PolicyDumper.add_representer(str, _PolicyDumper.represent_text)
_PolicyDumper.add_representer(_OnOneLine, _PolicyDumper.represent_rule)


def policy_yaml(policy: PricingPolicy) -> str:
    """The policy's document; `parse_policy_text` reads it back equal."""
    document = _tidy(policy.model_dump(exclude_none=True))
    return yaml.dump(document, Dumper=_PolicyDumper, sort_keys=False, allow_unicode=True, width=_WIDTH)


def _tidy(part: object) -> object:
    if isinstance(part, Mapping):
        mapping = cast("Mapping[str, object]", part)
        tidied = {key: _tidy(value) for key, value in mapping.items() if value not in ({}, ())}
        return _OnOneLine(tidied) if "discount" in tidied else tidied
    if isinstance(part, Sequence) and not isinstance(part, str):
        return [_tidy(member) for member in cast("Sequence[object]", part)]
    return part
