"""`flexiprice doctor`: checks the installation and suggests remedies."""

import asyncio

import typer

from flexiprice.cli.broker import command_settings
from flexiprice.cli.console import JsonOption, escaped, output, print_json
from flexiprice.cli.doctor.checks import check_everything
from flexiprice.cli.doctor.findings import Health

_SIGNS = {Health.OK: "[green]✓[/]", Health.WARNING: "[yellow]![/]", Health.FAILED: "[red]✗[/]"}


def doctor(*, as_json: JsonOption = False) -> None:
    """Check settings, servers, tables, workers, schedules, runs and dead letters; suggest remedies.

    The exit code is 1 if a check failed; warnings do not change it.
    """
    findings = asyncio.run(check_everything(command_settings()))
    if as_json:
        print_json(findings)
    else:
        console = output()
        for finding in findings:
            console.print(
                f"{_SIGNS[finding.health]} {finding.subject:<10} {escaped(finding.detail)}", soft_wrap=True
            )
            if finding.advice:
                console.print(f"  {'':<10} → {escaped(finding.advice)}", style="cyan", soft_wrap=True)
    if any(finding.health is Health.FAILED for finding in findings):
        raise typer.Exit(1)
