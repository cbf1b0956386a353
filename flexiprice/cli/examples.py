"""The examples under each command's help."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import typer
from typer.main import get_command_name
from typer.models import CommandInfo

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "help": ("flexiprice help", "flexiprice help cli"),
        "demo": ("flexiprice demo",),
        "up": ("flexiprice up --sample", "flexiprice up --port 8080 --verbose"),
        "import": (
            "flexiprice import stock.xlsx --sheet Stock --dry-run",
            "flexiprice import stock.csv --map sku=EAN --decimal-comma --save-map night",
            "flexiprice import export.csv --format odoo --errors bad.csv",
        ),
        "import-maps": ("flexiprice import-maps list",),
        "import-maps list": ("flexiprice import-maps list",),
        "import-maps delete": ("flexiprice import-maps delete night",),
        "scan": (
            "flexiprice scan '(01)04006381333931(17)261231(10)L-0815' --quantity 12",
            "flexiprice scan --store berlin < scans.txt",
            "flexiprice scan 4006381333931 --set --quantity 24",
        ),
        "recompute": (
            "flexiprice recompute --wait",
            "flexiprice recompute --dry-run --on 2026-12-24 --store main",
        ),
        "prices": (
            "flexiprice prices --category bakery --expiring-within 1",
            "flexiprice prices --store main --limit 500 --json",
        ),
        "history": (
            "flexiprice history BREAD-RYE-1",
            "flexiprice history BREAD-RYE-1 --store main --days 90",
        ),
        "cleanup": ("flexiprice cleanup --wait --timeout 5m",),
        "stores": ("flexiprice stores list",),
        "stores list": ("flexiprice stores list",),
        "stores create": ("flexiprice stores create berlin --time-zone Europe/Berlin",),
        "stores set-time-zone": ("flexiprice stores set-time-zone berlin Europe/Berlin",),
        "policy": ("flexiprice policy show",),
        "policy show": ("flexiprice policy show > next.yaml", "flexiprice policy show --default"),
        "policy list": ("flexiprice policy list",),
        "policy lint": ("flexiprice policy lint next.yaml",),
        "policy preview": (
            "flexiprice policy preview next.yaml",
            "flexiprice policy preview next.yaml --on 2026-12-24 --category bakery",
        ),
        "policy create": ('flexiprice policy create next.yaml --comment "more off bread" --activate',),
        "policy activate": ("flexiprice policy activate 2",),
        "policy rollback": ("flexiprice policy rollback",),
        "migrate": ("flexiprice migrate",),
        "api": ("flexiprice api --host 0.0.0.0 --workers 4",),
        "monitor": ("flexiprice monitor --port 5555",),
        "worker": ("flexiprice worker", "flexiprice worker --queues discounts --concurrency 4"),
        "worker drain": ("flexiprice worker drain shop-1:4711:0b9f5e3c",),
        "worker stop": ("flexiprice worker stop shop-1:4711:0b9f5e3c",),
        "keys": ("flexiprice keys list",),
        "keys create": (
            "flexiprice keys create till --scope read --scope labels",
            "flexiprice keys create night-import --scope prices --expires-in 90d",
        ),
        "keys list": ("flexiprice keys list --all",),
        "keys rotate": ("flexiprice keys rotate till --overlap 1d",),
        "keys revoke": ("flexiprice keys revoke till",),
        "keys sign-in": ("flexiprice keys sign-in",),
        "keys sessions": ("flexiprice keys sessions",),
        "keys end-sessions": ("flexiprice keys end-sessions till",),
        "doctor": ("flexiprice doctor", "flexiprice doctor --json"),
        "healthcheck": ("flexiprice healthcheck api --port 8000",),
        "systemd": (
            "flexiprice systemd worker --instances 2",
            "flexiprice systemd api --environment-file /etc/flexiprice/environment",
        ),
        "run": (
            "flexiprice run recompute_all_discounts days_threshold=14 --wait",
            "flexiprice run update_price_history --defer-by 2h",
        ),
        "status": ("flexiprice status 0b9f5e3c6a7d4f21a8c94e5d6f7a8b9c --wait",),
        "active": ("flexiprice active",),
        "scheduled": ("flexiprice scheduled --limit 20",),
        "registered": ("flexiprice registered",),
        "workers": ("flexiprice workers",),
        "stats": ("flexiprice stats --since 7d",),
        "runs": ("flexiprice runs --status failed --status lost --since 7d",),
        "dead-letters": ("flexiprice dead-letters list",),
        "dead-letters list": ("flexiprice dead-letters list",),
        "dead-letters retry": (
            "flexiprice dead-letters retry 0b9f5e3c6a7d4f21a8c94e5d6f7a8b9c",
            "flexiprice dead-letters retry --all",
        ),
        "dead-letters dismiss": ("flexiprice dead-letters dismiss --all",),
        "revoke": ("flexiprice revoke 0b9f5e3c6a7d4f21a8c94e5d6f7a8b9c",),
        "retry": ("flexiprice retry 0b9f5e3c6a7d4f21a8c94e5d6f7a8b9c",),
        "queues": ("flexiprice queues",),
        "purge": ("flexiprice purge --queue analytics", "flexiprice purge --yes"),
        "pause-queue": ("flexiprice pause-queue analytics",),
        "resume-queue": ("flexiprice resume-queue analytics",),
        "schedule": ("flexiprice schedule list",),
        "schedule list": ("flexiprice schedule list",),
        "schedule pause": ("flexiprice schedule pause recompute_all_discounts",),
        "schedule resume": ("flexiprice schedule resume recompute_all_discounts",),
        "schedule run": ("flexiprice schedule run recompute_all_discounts",),
        "audit": ("flexiprice audit --since 7d", "flexiprice audit --action import_file --json"),
    }
)


def show_examples(app: typer.Typer, above: str = "") -> None:
    """Appends its examples to the help of every command and of every group below the first.

    Raises:
        KeyError: a command has no examples.
    """
    for command in app.registered_commands:
        command.epilog = _block(f"{above}{_name_of(command)}")
    for group in app.registered_groups:
        below = group.typer_instance
        if below is not None:
            name = f"{above}{below.info.name}"
            below.info.epilog = _block(name)
            show_examples(below, f"{name} ")


def _name_of(command: CommandInfo) -> str:
    if command.name is None and command.callback is not None:
        return get_command_name(command.callback.__name__)
    return str(command.name)


def _block(name: str) -> str:
    lines = "\n".join(EXAMPLES[name])
    return f"Examples:\n\n```text\n{lines}\n```"
