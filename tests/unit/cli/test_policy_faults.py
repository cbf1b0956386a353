"""A faulty policy on the command line: each fault on its own line, with what to do."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import flexiprice.cli.main
from flexiprice.cli.main import app

FAULTY = """\
max_discont: 0.5
floor_fraction: 25
rules:
  - {name: half, discount: 50}
  - {name: soon, discount: 0.3, days_to_expiry: {most: 3}}
  - {discount: 0.1, colour: red}
categories:
  bakery: {rules: [{name: last day, discount: 0.5, quantity: 4}], price: 3}
"""
TOLD = [
    "The policy cannot be used: 8 faults.",
    "  max_discont: unknown key; did you mean max_discount?",
    "  floor_fraction: should be less than or equal to 1; write a fraction from 0 to 1, such as 0.25",
    "  rules[0].discount: should be less than 1; write a fraction below 1, such as 0.25 for 25%",
    "  rules[1].days_to_expiry.most: unknown key; remove it; known here are min, max",
    "  rules[2].name: is required; write a text of 1 to 100 characters",
    (
        "  rules[2].colour: unknown key; remove it; known here are name, days_to_expiry, quantity, unit, "
        "discount"
    ),
    "  categories.bakery.rules[0].quantity: should be a mapping; write a range, such as {min: 0, max: 3}",
    "  categories.bakery.price: unknown key; remove it; known here are floor_fraction, rules",
]


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setattr("sys.argv", ["flexiprice", *arguments])
    with pytest.raises(SystemExit) as ended:
        flexiprice.cli.main.main()
    assert ended.value.code == 1
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("command", [["create"], ["preview"]])
def test_each_fault_has_a_line_with_its_place_its_reason_and_what_to_do(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.yaml").write_text(FAULTY)
    told = run("policy", *command, str(tmp_path / "policy.yaml"), monkeypatch=monkeypatch, capsys=capsys)
    assert told[0] == TOLD[0]
    assert sorted(told[1:]) == sorted(TOLD[1:])


def test_the_linter_says_the_same_of_each(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(FAULTY)
    linted = CliRunner().invoke(app, ["policy", "lint", str(tmp_path / "policy.yaml")])
    assert linted.exit_code == 1
    assert sorted(linted.stdout.splitlines()) == sorted(f"error {line.strip()}" for line in TOLD[1:])


def test_a_rule_that_never_decides_and_a_name_used_twice_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("rules: [{name: half, discount: 0.5}, {name: dead, discount: 0.3}]")
    (told,) = run("policy", "create", str(file), monkeypatch=monkeypatch, capsys=capsys)[1:]
    assert told.startswith("  dead, half: can never decide: wherever it matches, so does 'half'")
    assert told.endswith("; remove it, or give it a larger discount or wider conditions")
    file.write_text("rules: [{name: half, discount: 0.5}, {name: half, discount: 0.3}]")
    (told,) = run("policy", "create", str(file), monkeypatch=monkeypatch, capsys=capsys)[1:]
    assert told.endswith("; rename or remove all but one of them")
