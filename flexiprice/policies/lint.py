"""Lints a policy as text, where what keeps it from being a policy is a finding as well."""

from flexiprice.domain.policy import PolicyProblem
from flexiprice.domain.policy_lint import PolicyFinding, Severity, lint_policy
from flexiprice.errors import InvalidPolicy, Problem
from flexiprice.policies.text import parse_policy_text


def lint_policy_text(text: str) -> list[PolicyFinding]:
    """Everything that is wrong or odd about a policy in YAML or JSON, errors first."""
    try:
        return lint_policy(parse_policy_text(text))
    except InvalidPolicy as invalid:
        return [_finding(problem) for problem in invalid.problems]


def _finding(problem: Problem) -> PolicyFinding:
    code, rules = (problem.code, problem.rules) if isinstance(problem, PolicyProblem) else ("invalid", ())
    return PolicyFinding(Severity.ERROR, code, str(problem), rules)
