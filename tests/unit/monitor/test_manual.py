"""The manual in the monitor: links stay inside, also under a prefix, and HTML of a page is escaped."""

import re

import pytest

from api.monitor.components.manual import manual_html
from flexiprice.docs.links import anchor_of
from flexiprice.docs.pages import Page, all_pages


def html_of(text: str, *, path: str = "operate/runbook", prefix: str = "") -> str:
    page = Page(path=path, title="Runbook", summary="", text=text)
    return manual_html(page, lambda address: f"{prefix}{address}")


@pytest.mark.parametrize("prefix", ["", "/shop"])
@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("scaling.md", "/help/operate/scaling"),
        ("../index.md#a-b", "/help/index#a-b"),
        ("#a-b", "/help/operate/runbook#a-b"),
    ],
)
def test_a_link_to_a_page_leads_to_it_in_the_monitor(target: str, address: str, prefix: str) -> None:
    assert f'<a href="{prefix}{address}">x</a>' in html_of(f"[x]({target})", prefix=prefix)


def test_a_link_out_of_the_manual_stays_as_it_is() -> None:
    assert '<a href="https://example.org/#x">x</a>' in html_of("[x](https://example.org/#x)")


def test_a_picture_is_asked_of_the_monitor() -> None:
    said = html_of("![Tasks](../images/tasks.png)", prefix="/shop")
    assert '<img src="/shop/help/images/tasks.png" alt="Tasks"' in said


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a <b onclick=x>b</b>", "<!-- note -->"])
def test_html_in_a_page_is_shown_as_text(text: str) -> None:
    said = html_of(text)
    assert text not in said
    assert "&lt;" in said


def test_a_link_that_would_run_a_script_is_no_link() -> None:
    assert "href" not in html_of("[x](javascript:alert(1))")


def test_headings_are_lowered_by_one_and_can_be_linked_to() -> None:
    said = html_of("# Runbook\n\n## What to do?\n\n## What to do?\n")
    assert said == (
        '<h2 id="runbook">Runbook</h2>\n<h3 id="what-to-do">What to do?</h3>\n'
        '<h3 id="what-to-do-1">What to do?</h3>\n'
    )


@pytest.mark.parametrize("text", ["```bash\nmake up\n```", "    make up", "| a |\n| --- |\n| b |"])
def test_code_and_tables_scroll_in_a_frame_that_keyboards_reach(text: str) -> None:
    assert re.match(
        r'<div class="\S+" tabindex="0" role="group" aria-label="\w+">\n?<(pre|table)>', html_of(text)
    )
    assert html_of(text).endswith("</div>")


def test_every_link_between_our_pages_leads_to_a_page_and_a_heading_of_it() -> None:
    places = {f"/help/{page.path}": manual_html(page, str) for page in all_pages()}
    broken = []
    for place, html in places.items():
        for address in re.findall(r'href="(/help/[^"]+)"', html):
            path, _, anchor = address.partition("#")
            if path not in places or (anchor and f'id="{anchor}"' not in places[path]):
                broken.append(f"{place}: {address}")
        broken += [f"{place}: {address}" for address in re.findall(r'href="((?!/help/|https?:)[^"]+)"', html)]
    assert broken == []


def test_anchors_are_made_of_headings_as_links_expect() -> None:
    assert f'id="{anchor_of("Of all `workers` & queues")}"' in html_of("## Of all `workers` & queues")
