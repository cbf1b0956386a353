"""The site's navigation: the pages in the order in which `flexiprice help` lists them."""

from collections.abc import MutableMapping
from itertools import groupby
from typing import Any

from flexiprice.docs.pages import all_pages, section_title


def on_config(config: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Fills in the navigation, as MkDocs asks its hooks to."""
    config["nav"] = [
        {section_title(section): [f"{page.path}.md" for page in pages]}
        if section
        else {page.title: f"{page.path}.md" for page in pages}
        for section, pages in groupby(all_pages(), key=lambda page: page.section)
    ]
    return config
