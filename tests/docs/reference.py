"""`make reference`: writes the pages of the manual that are generated from the code."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.docs.cli_page import cli_page
from tests.docs.metrics_page import metrics_page
from tests.docs.settings_page import settings_page

FOLDER: Final = Path(__file__).parents[2] / "flexiprice" / "docs"
GENERATED: Final[Mapping[str, Callable[[], str]]] = {
    "reference/settings.md": settings_page,
    "reference/cli.md": cli_page,
    "reference/metrics.md": metrics_page,
}


def write_pages() -> None:
    """Writes every generated page anew."""
    for path, make in GENERATED.items():
        (FOLDER / path).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    write_pages()
