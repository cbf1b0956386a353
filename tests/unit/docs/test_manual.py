"""The manual: pages found by name, in reading order, with working links."""

import os
import pty
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from flexiprice.cli.main import app
from flexiprice.docs import pages
from flexiprice.docs.links import PageLink, anchor_of, resolve, with_topics
from flexiprice.docs.pages import Page, all_pages, find_page, get_page
from flexiprice.errors import NotFound
from tests.support.paths import ROOT

FOLDER = ROOT / "flexiprice" / "docs"
RUNBOOK = "# Runbook\n\nFinds the cause of an alert. By symptom.\n"


def a_page(path: str, text: str = RUNBOOK) -> Page:
    return Page(path=path, title="Runbook", summary="", text=text)


def shown(*topic: str) -> Result:
    return CliRunner().invoke(app, ["help", *topic])


@pytest.fixture
def manual(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A manual of a few pages instead of ours."""
    for path, text in {
        "index": "# FlexiPrice\n\nSee [start](getting-started/quickstart.md).\n",
        "getting-started/concepts": "# Concepts\n\nThe words.\n",
        "getting-started/quickstart": "# Quickstart\n\nA `demo`: in *one*\nminute. Then more.\n",
        "operate/runbook": RUNBOOK,
        "adr/runbook": "# Why a runbook\n\n- a list\n",
        "aside/notes": "# Notes\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / f"{path}.md").write_text(text)
    monkeypatch.setattr(pages, "files", lambda _: tmp_path)
    all_pages.cache_clear()
    return tmp_path


@pytest.fixture(autouse=True)
def _forget() -> None:
    all_pages.cache_clear()


def test_every_markdown_file_of_the_folder_is_a_page_with_a_title() -> None:
    files = {str(file.relative_to(FOLDER).with_suffix("")) for file in FOLDER.rglob("*.md")}
    assert {page.path for page in all_pages()} == files
    assert [page.path for page in all_pages() if page.title == page.path] == []


@pytest.mark.usefixtures("manual")
def test_pages_stand_by_section_and_in_a_section_as_the_index_links_them() -> None:
    assert [page.path for page in all_pages()] == [
        "index",
        "getting-started/quickstart",
        "getting-started/concepts",
        "operate/runbook",
        "adr/runbook",
        "aside/notes",
    ]


@pytest.mark.usefixtures("manual")
def test_a_page_is_summed_up_by_its_first_sentence_without_markup() -> None:
    assert get_page("getting-started/quickstart").summary == "A demo: in one minute."
    assert get_page("operate/runbook").summary == "Finds the cause of an alert."
    assert get_page("adr/runbook").summary == ""
    assert get_page("aside/notes").summary == ""


@pytest.mark.usefixtures("manual")
@pytest.mark.parametrize("topic", ["getting-started/concepts", "concepts", "Concepts", "concepts.md"])
def test_a_page_is_found_by_its_path_and_by_its_last_name(topic: str) -> None:
    assert find_page(topic).title == "Concepts"


@pytest.mark.usefixtures("manual")
def test_a_name_that_several_pages_have_is_answered_with_their_paths() -> None:
    with pytest.raises(NotFound, match="operate/runbook, adr/runbook"):
        find_page("runbook")


@pytest.mark.usefixtures("manual")
def test_a_name_that_no_page_has_is_answered_with_the_nearest() -> None:
    with pytest.raises(NotFound, match="no page 'quikstart'; the nearest: getting-started/quickstart"):
        find_page("quikstart")
    with pytest.raises(NotFound, match="`flexiprice help` lists all"):
        find_page("zzz")
    with pytest.raises(NotFound):
        get_page("../../errors")


@pytest.mark.parametrize(
    ("target", "link"),
    [
        ("runbook.md", PageLink("operate/runbook", "")),
        ("../index.md#a-b", PageLink("index", "a-b")),
        ("#a-b", PageLink("operate/scaling", "a-b")),
        ("https://example.org/x.md", None),
        ("../../README.md", None),
        ("picture.png", None),
    ],
)
def test_a_link_leads_to_a_page_or_out_of_the_manual(target: str, link: PageLink | None) -> None:
    assert resolve(a_page("operate/scaling"), target) == link


def test_anchors_are_those_of_the_repositorys_web_view() -> None:
    assert anchor_of("`pg_dump`, pg_restore & Redis") == "pg_dump-pg_restore--redis"
    assert anchor_of("What to do?") == "what-to-do"


def test_a_link_to_a_page_is_shown_as_a_topic_and_code_as_it_is() -> None:
    text = "[a](../index.md#x) [b](https://b.example) [c](#c)\n```\n[d](../index.md)\n```\n[e](scaling.md)"
    assert with_topics(a_page("operate/runbook", text)) == (
        "[a](index) [b](https://b.example) c\n```\n[d](../index.md)\n```\n[e](operate/scaling)"
    )


def test_help_lists_every_page_with_its_title() -> None:
    said = shown()
    assert said.exit_code == 0
    for page in all_pages():
        line = next(line for line in said.output.splitlines() if line.split()[:1] == [page.path])
        assert page.title.split()[0] in line


def test_help_shows_every_page() -> None:
    for page in all_pages():
        said = shown(page.path)
        assert said.exit_code == 0, page.path
        assert page.title in said.output
        assert not any(line.endswith(" ") for line in said.output.splitlines())


def test_help_shows_every_word_of_a_table_in_a_narrow_window() -> None:
    said = CliRunner().invoke(app, ["help", "settings"], env={"COLUMNS": "80", "FORCE_COLOR": "1"})
    assert "postgresql" in said.output
    assert "…" not in said.output


def test_help_of_a_page_that_there_is_not_names_the_nearest() -> None:
    failure = shown("setings").exception
    assert isinstance(failure, NotFound)
    assert failure.message.startswith("The manual has no page 'setings'; the nearest: reference/settings")


@pytest.mark.parametrize(("lines", "is_paged"), [("5", True), ("5000", False)])
def test_a_page_that_is_longer_than_the_window_opens_in_the_pager(lines: str, is_paged: bool) -> None:
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "flexiprice.cli.main", "help", "settings"],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={"PAGER": "sed s/FLEXIPRICE/PAGED/", "TERM": "xterm", "LINES": lines, "COLUMNS": "90"},
    )
    os.close(theirs)
    said = b""
    try:
        while read := os.read(ours, 65536):
            said += read
    except OSError:
        pass  # the other end is closed
    finally:
        os.close(ours)
    assert program.communicate(timeout=120)[1] == b""
    assert (b"PAGED" in said) is is_paged


def test_the_wheel_brings_every_page(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert {f"flexiprice/docs/{page.path}.md" for page in all_pages()} <= set(
        zipfile.ZipFile(wheel).namelist()
    )
