"""README, ARCHITECTURE and manual: bounded length, working links, names that exist in the code."""

import re
from pathlib import Path

import pytest

from tests.support.readme import README, ROOT, page

DECISIONS = sorted((ROOT / "flexiprice" / "docs" / "adr").glob("*.md"))
CODE = "\n".join(
    file.read_text() for folder in ("flexiprice", "workers", "api") for file in (ROOT / folder).rglob("*.py")
)


def words(document: Path) -> int:
    return len(document.read_text().split())


def log_events() -> list[str]:
    """The events in the runbook's table, which stand in its first column."""
    table = page("operate/runbook").read_text().partition("## Log events")[2]
    first_column = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    return [event for cell in first_column for event in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize(("name", "most"), [("README.md", 700), ("ARCHITECTURE.md", 1_200)])
def test_readme_and_architecture_stay_short(name: str, most: int) -> None:
    assert words(ROOT / name) <= most, "move the rest into a page of flexiprice/docs"


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.stem)
def test_a_decision_has_its_four_parts_in_three_hundred_words(decision: Path) -> None:
    headings = re.findall(r"^## (.+)$", decision.read_text(), re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences", "Alternatives"]
    assert words(decision) <= 300


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [decision.name[:4] for decision in DECISIONS] == [f"{n:04}" for n in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("document", [README, ROOT / "ARCHITECTURE.md", ROOT / ".github/CONTRIBUTING.md"])
def test_links_of_the_checkouts_documents_lead_to_files(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())
    missing = [
        target
        for target in targets
        if not target.startswith("http") and not (document.parent / target).exists()
    ]
    assert targets
    assert missing == []


@pytest.mark.parametrize("event", log_events())
def test_every_log_event_of_the_runbook_is_logged_by_the_code(event: str) -> None:
    assert f'"{event}"' in CODE
