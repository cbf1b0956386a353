"""The README tells the truth about the settings."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from flexiprice.settings import PREFIX, Settings

README = Path(__file__).parents[2] / "README.md"


def settings_table() -> str:
    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = _shown(field.get_default())
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def _shown(value: object) -> str:
    match value:
        case None | () | "":
            return ""
        case timedelta():
            return f"`{value.total_seconds():g}` (s)"
        case tuple():
            return f"`{','.join(value)}`"
        case StrEnum():
            return f"`{value.value}`"
        case _:
            return f"`{value}`"


def test_every_setting_stands_in_the_readme_with_its_default_and_meaning() -> None:
    text = README.read_text()
    table = text.partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]
    assert table == settings_table(), f"paste this into README.md:\n{settings_table()}"
