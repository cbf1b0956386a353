"""Reads and lints policies in files, and prints the findings."""

from collections.abc import Sequence
from typing import Annotated, BinaryIO

import typer
from rich.console import Console

from flexiprice.cli.console import escaped, stderr
from flexiprice.cli.policy_faults import advice_on
from flexiprice.domain.policy import PolicyProblem, PricingPolicy
from flexiprice.domain.policy_lint import PolicyFinding, Severity, lint_policy
from flexiprice.errors import InvalidInput, InvalidPolicy
from flexiprice.pricing.policy_files import MAX_TEXT_LENGTH, lint_policy_text, parse_policy_text

PolicyFile = Annotated[
    typer.FileBinaryRead,
    typer.Argument(metavar="FILE", help="A policy, YAML or JSON; `-` reads standard input."),
]

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def lint_file(file: BinaryIO) -> Sequence[PolicyFinding]:
    """Returns the linter's findings, including errors that make the file unreadable.

    Raises:
        InvalidInput: the file is too long, or no text.
    """
    return lint_policy_text(_read(file))


def read_sound_policy(file: BinaryIO) -> PricingPolicy:
    """Returns the policy in a file, and prints the linter's warnings to stderr.

    Raises:
        InvalidPolicy: it cannot be read, or the linter finds an error.
        InvalidInput: the file is too long, or no text.
    """
    policy = parse_policy_text(_read(file))
    findings = lint_policy(policy)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise InvalidPolicy(
            [
                PolicyProblem(", ".join(error.rules), error.message, error.code, error.rules)
                for error in errors
            ]
        )
    if findings:
        show_findings(findings, stderr())
    return policy


def show_findings(findings: Sequence[PolicyFinding], console: Console) -> None:
    """Prints findings, the errors first."""
    if not findings:
        console.print("[green]✓[/] The policy is sound.")
    for finding in sorted(findings, key=lambda finding: finding.severity is not Severity.ERROR):
        advice = advice_on(finding.code, finding.message.partition(": ")[0])
        message = f"{finding.message}; {advice}" if advice else finding.message
        rules = f" [bold]{escaped(', '.join(finding.rules))}[/]:" if finding.rules else ""
        console.print(
            f"[{_COLOURS[finding.severity]}]{finding.severity.value}[/]{rules} {escaped(message)}",
            soft_wrap=True,
        )
        if finding.example:
            console.print(f"  for example {escaped(finding.example)}", style="dim", soft_wrap=True)


def _read(file: BinaryIO) -> str:
    # A character may take four bytes; the parser checks the number of characters.
    content = file.read(4 * MAX_TEXT_LENGTH + 1)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("the file is not UTF-8 text, or longer than any policy", field="file") from None
