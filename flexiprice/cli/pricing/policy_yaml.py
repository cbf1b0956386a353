"""Writes a policy as YAML that people can read and edit."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import cast

import yaml

from flexiprice.domain.policy import PricingPolicy

_WIDTH = 110


class _OnOneLine(dict[str, object]):
    """A rule, written as `{name: …, discount: …}`."""


class _PolicyDumper(yaml.SafeDumper):
    """Writes decimals as plain numbers, and each rule on one line."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - overrides
        """Repeats equal values, because a policy has no aliases."""
        return True

    def represent_decimal(self, number: Decimal) -> yaml.ScalarNode:
        """Returns a number without quotes."""
        kind = "int" if number == number.to_integral_value() and number.as_tuple().exponent == 0 else "float"
        return self.represent_scalar(f"tag:yaml.org,2002:{kind}", f"{number:f}")

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Quotes text unless it begins with a letter: some YAML parsers read `1e3` as a number."""
        style = None if text[:1].isalpha() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def represent_rule(self, rule: _OnOneLine) -> yaml.MappingNode:
        """Returns a mapping in braces."""
        return self.represent_mapping("tag:yaml.org,2002:map", rule, flow_style=True)


_PolicyDumper.add_representer(Decimal, _PolicyDumper.represent_decimal)
_PolicyDumper.add_representer(str, _PolicyDumper.represent_text)
_PolicyDumper.add_representer(_OnOneLine, _PolicyDumper.represent_rule)


def policy_yaml(policy: PricingPolicy) -> str:
    """Returns the policy's document; `parse_policy_text` reads it back equal."""
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
