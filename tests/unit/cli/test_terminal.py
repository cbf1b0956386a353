"""Control characters in output are escaped, so that a terminal obeys none."""

import io
import json

import pytest
import typer
from typer.testing import CliRunner

import flexiprice.cli.main
from flexiprice.cli.console import escaped, new_table, print_json
from flexiprice.cli.terminal import TerminalConsole, echo, printable
from flexiprice.errors import NotFound

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\x7f\u202eevil"
OBEYED = "\x1b\x07\x9b\r\x7f\u202e"


def test_control_characters_are_written_out_and_other_text_stays() -> None:
    assert printable("Käse\t1.50 €\nnext") == "Käse\t1.50 €\nnext"
    assert printable("\x1b[2J") == "\\u001b[2J"
    assert not set(printable(HOSTILE)) & set(OBEYED)


@pytest.mark.parametrize("by_way_of_plain", [True, False])
def test_table_writes_out_control_characters_and_keeps_its_own_colors(by_way_of_plain: bool) -> None:
    table = new_table("[red]name[/]")
    table.add_row(escaped(HOSTILE) if by_way_of_plain else HOSTILE)
    written = io.StringIO()
    TerminalConsole(file=written, force_terminal=True, width=120, color_system="standard").print(table)
    text = written.getvalue()
    assert "\\u001b]0;owned" in text
    assert "\x1b[1;31m" in text, "the heading's own style"
    assert not set(text.replace("\x1b[", "")) & set(OBEYED)


def test_json_output_escapes_control_characters_and_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": HOSTILE})
    written = capsys.readouterr().out
    assert not set(written) & set(OBEYED)
    assert json.loads(written) == {"name": HOSTILE}


def test_error_message_writes_out_control_characters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise NotFound(f"there is no {HOSTILE}")

    monkeypatch.setattr(flexiprice.cli.main, "app", refuse)
    with pytest.raises(SystemExit):
        flexiprice.cli.main.main()
    assert not set(capsys.readouterr().err) & set(OBEYED)


def test_console_line_writes_out_control_characters() -> None:
    app = typer.Typer()
    app.command()(lambda: echo(HOSTILE))
    assert not set(CliRunner().invoke(app).stdout) & set(OBEYED)
