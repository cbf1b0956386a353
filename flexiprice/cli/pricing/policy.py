"""`flexiprice policy`: shows, checks, previews, stores and activates pricing policies."""

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.access.audit_log import record_audit
from flexiprice.catalog.imports.notation.cells import printable
from flexiprice.cli.access.audit import cli_event, recording_refusals
from flexiprice.cli.broker import command_settings
from flexiprice.cli.connections import in_transaction
from flexiprice.cli.console import JsonOption, escaped, format_time, new_table, output, print_json
from flexiprice.cli.options import CategoryOption, DaysThresholdOption, LimitOption, OnOption, StoreOption
from flexiprice.cli.pricing.policy_findings import PolicyFile, lint_file, read_sound_policy, show_findings
from flexiprice.cli.pricing.policy_yaml import policy_yaml
from flexiprice.cli.pricing.preview_tables import show_preview
from flexiprice.cli.tasks.enqueue import reprice, repricing
from flexiprice.cli.terminal import echo
from flexiprice.db.clock import database_now
from flexiprice.domain.policy_lint import Severity
from flexiprice.pricing import policy_versions as policies
from flexiprice.pricing.policy_files import default_policy_text
from flexiprice.pricing.policy_versions import PolicyVersion
from flexiprice.settings import Settings

app = typer.Typer(
    name="policy",
    no_args_is_help=True,
    help="Show, check, preview, store and activate pricing policies.",
)

VersionArgument = Annotated[int, typer.Argument(min=1, max=2**31 - 1, metavar="VERSION")]


@app.command()
def show(
    *,
    version: Annotated[
        int | None,
        typer.Argument(
            min=1, max=2**31 - 1, metavar="[VERSION]", help="Version to print. [default: the active one]"
        ),
    ] = None,
    default: Annotated[
        bool,
        typer.Option("--default", help="Print FlexiPrice's default policy, with a reason for each choice."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print a policy as YAML, as a start for the next one: `flexiprice policy show > next.yaml`."""
    if default:
        echo(default_policy_text(), newline=False)
        return

    async def use(session: AsyncSession) -> PolicyVersion:
        if version is None:
            return await policies.get_active_policy(session)
        return await policies.get_policy(session, version)

    found = in_transaction(command_settings(), use)
    if as_json:
        print_json(_described(found) | {"policy": found.policy.document()})
        return
    state = f"active since {format_time(found.activated_at)}" if found.active else "not active"
    echo(f"# Version {found.version}, {state}")
    if found.comment:
        echo(f"# {' '.join(found.comment.split())}")
    echo(policy_yaml(found.policy), newline=False)


@app.command("list")
def list_versions(*, as_json: JsonOption = False) -> None:
    """List the stored versions, the newest first."""
    found = in_transaction(command_settings(), policies.list_policies)
    if as_json:
        print_json([_described(version) for version in found])
        return
    table = new_table("version", "", "created", "activated", "comment", numbers=("version",))
    for version in found:
        table.add_row(
            str(version.version),
            "[bold green]active[/]" if version.active else "",
            format_time(version.created_at),
            format_time(version.activated_at),
            escaped(version.comment),
        )
    output().print(table)


@app.command()
def lint(*, file: PolicyFile, as_json: JsonOption = False) -> None:
    """Check a policy in a file, YAML or JSON, without a database.

    Errors are certain mistakes: unknown keys, duplicate names, rules that can never apply. Warnings are
    possible mistakes. The exit code is 1 if there is an error.
    """
    findings = lint_file(file)
    if as_json:
        print_json(findings)
    else:
        show_findings(findings, output())
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise typer.Exit(1)


@app.command()
def preview(
    *,
    file: PolicyFile,
    days_threshold: DaysThresholdOption = None,
    on: OnOption = None,
    store: StoreOption = None,
    category: CategoryOption = None,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """Show the discounts that a policy in a file would open, change and close; write nothing."""
    policy = read_sound_policy(file)
    show_preview(
        command_settings(),
        policy=policy,
        days_threshold=days_threshold,
        on=on,
        store=store,
        category=category,
        limit=limit,
        as_json=as_json,
    )


@app.command()
def create(
    *,
    file: PolicyFile,
    comment: Annotated[str, typer.Option(help="Reason for this version.")] = "",
    activate: Annotated[bool, typer.Option("--activate", help="Activate the version at once.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Store a policy in a file as the next version, if the linter finds no error."""
    settings = command_settings()

    async def use(session: AsyncSession) -> PolicyVersion:
        created = await policies.create_policy(session, policy, comment=comment)
        await record_audit(session, [cli_event("create_policy", str(created.version))])
        return await _activate(session, created.version) if activate else created

    with recording_refusals(settings, "create_policy", printable(getattr(file, "name", ""))):
        policy = read_sound_policy(file)
        version = in_transaction(settings, use)
    _show_change(settings, version, as_json=as_json)


@app.command("activate")
def activate_version(*, version: VersionArgument, as_json: JsonOption = False) -> None:
    """Activate a stored version."""
    settings = command_settings()

    async def use(session: AsyncSession) -> PolicyVersion:
        return await _activate(session, version)

    with recording_refusals(settings, "activate_policy", str(version)):
        activated = in_transaction(settings, use)
    _show_change(settings, activated, as_json=as_json)


@app.command()
def rollback(*, as_json: JsonOption = False) -> None:
    """Activate the previously active version; a second rollback undoes the first."""
    settings = command_settings()

    async def use(session: AsyncSession) -> PolicyVersion:
        active = await policies.roll_back_policy(session, now=await database_now(session))
        await record_audit(session, [cli_event("roll_back_policy", str(active.version))])
        return active

    with recording_refusals(settings, "roll_back_policy"):
        active = in_transaction(settings, use)
    _show_change(settings, active, as_json=as_json)


async def _activate(session: AsyncSession, version: int) -> PolicyVersion:
    activated = await policies.activate_policy(session, version, now=await database_now(session))
    await record_audit(session, [cli_event("activate_policy", str(version))])
    return activated


def _show_change(settings: Settings, version: PolicyVersion, *, as_json: bool) -> None:
    job = reprice(settings) if version.active else None
    if as_json:
        print_json(_described(version) | {"repricing": repricing(job, needed=version.active)})
        return
    if not version.active:
        output().print(
            f"Version {version.version} is stored. It makes prices once it is activated: "
            f"flexiprice policy activate {version.version}"
        )
        return
    output().print(f"Version {version.version} is active.")
    if job is not None:
        output().print(f"The workers reprice everything by it: flexiprice status {job.job_id}")


def _described(version: PolicyVersion) -> dict[str, object]:
    return {
        "version": version.version,
        "active": version.active,
        "comment": version.comment,
        "created_at": version.created_at,
        "activated_at": version.activated_at,
    }
