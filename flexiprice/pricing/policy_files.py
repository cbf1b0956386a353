"""Parses a policy from YAML or JSON. Numbers stay exact: none becomes a float."""

import json
import re
from collections.abc import Hashable, Mapping
from decimal import Decimal
from importlib import resources
from typing import Any, NoReturn, Protocol, cast

import yaml

from flexiprice.domain.policy import PolicyProblem, PricingPolicy, parse_policy
from flexiprice.domain.policy_lint import PolicyFinding, Severity, lint_policy
from flexiprice.errors import InvalidPolicy, Problem


def lint_policy_text(text: str) -> list[PolicyFinding]:
    """Lints a policy in YAML or JSON; returns errors first."""
    try:
        return lint_policy(parse_policy_text(text))
    except InvalidPolicy as invalid:
        return [_finding(problem) for problem in invalid.problems]


def _finding(problem: Problem) -> PolicyFinding:
    code, rules = (problem.code, problem.rules) if isinstance(problem, PolicyProblem) else ("invalid", ())
    return PolicyFinding(Severity.ERROR, code, str(problem), rules)


def default_policy_text() -> str:
    """Returns the default policy as YAML, with a comment on each choice."""
    return resources.files("flexiprice.pricing").joinpath("default_policy.yaml").read_text(encoding="utf-8")


def default_policy() -> PricingPolicy:
    """Returns the default policy, without a version."""
    return parse_policy_text(default_policy_text())


MAX_TEXT_LENGTH = 256 * 1024
_MAX_DEPTH = 20


class _Mark(Protocol):
    """A position in the text. PyYAML's two parsers have a class each for it."""

    line: int
    column: int


class _PolicyLoader(yaml.SafeLoader):
    """Resolves scalars as YAML 1.2 (`no` is text, `1:30` is not 90) and keeps decimals exact."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                _refuse("a key must be text", key_node.start_mark)
            if key in seen:
                _refuse(f"repeated key {key!r}", key_node.start_mark, code="duplicate_name")
            seen.add(key)
        constructed: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return constructed

    def construct_number(self, node: yaml.ScalarNode) -> Decimal:
        return Decimal(self.construct_scalar(node))

    def construct_whole_number(self, node: yaml.ScalarNode) -> int:
        return int(self.construct_scalar(node))


_PolicyLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]{1,30}", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,3})?",
        list("-+.0123456789"),
    ),
):
    _PolicyLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
_PolicyLoader.add_constructor("tag:yaml.org,2002:int", _PolicyLoader.construct_whole_number)
_PolicyLoader.add_constructor("tag:yaml.org,2002:float", _PolicyLoader.construct_number)


def parse_policy_text(text: str) -> PricingPolicy:
    """Parses a policy from YAML or JSON. The policy has no version.

    Repeated keys, and YAML's anchors, aliases and tags of other types are refused.

    Raises:
        InvalidPolicy: has every problem found, each with its path in the document, or its line if the text
            cannot be parsed.
    """
    if len(text) > MAX_TEXT_LENGTH:
        _refuse(f"the text is longer than {MAX_TEXT_LENGTH} characters")
    document = _read(text)
    if not isinstance(document, Mapping):
        _refuse("a policy is a mapping of keys such as max_discount and rules to their values")
    return parse_policy(cast("Mapping[str, object]", document))


def _read(text: str) -> object:
    # JSON is not quite a subset of YAML: tabs between tokens and escaped surrogate pairs differ.
    if text.lstrip().startswith("{"):
        try:
            return json.loads(
                text, parse_float=Decimal, parse_constant=str, object_pairs_hook=_without_repeated_keys
            )
        except (ValueError, RecursionError):
            # It may be YAML's flow style `{a: b}`; otherwise the YAML parser reports the error.
            pass
    try:
        _refuse_aliases_and_depth(text)
        return yaml.load(text, Loader=_PolicyLoader)  # noqa: S506 - derives from the safe loader
    except yaml.MarkedYAMLError as error:
        _refuse(error.problem or "is not YAML", error.problem_mark)
    except (yaml.YAMLError, ValueError) as error:
        _refuse(f"cannot be read as YAML or JSON: {error}")


def _without_repeated_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            _refuse(f"repeated key {key!r}", code="duplicate_name")
        found[key] = value
    return found


def _refuse_aliases_and_depth(text: str) -> None:
    depth = 0
    # A few lines of aliases or brackets can exhaust memory or stack: check the flat stream of events before
    # anything is built.
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            _refuse("anchors and aliases are not supported", event.start_mark)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            _refuse("is nested too deeply", event.start_mark)


def _refuse(reason: str, mark: _Mark | None = None, code: str = "invalid") -> NoReturn:
    path = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    raise InvalidPolicy([PolicyProblem(path, reason, code)])
