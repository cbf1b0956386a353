"""Alert rules and the dashboard name only series, labels and values that API and workers export."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS
from flexiprice.settings import Settings
from tests.support.api_server import serve
from tests.support.builders import an_active_policy
from tests.support.command_line import require_command
from tests.support.compose_file import DOCKER
from tests.support.workers import running
from workers import tasks
from workers.runtime.jobs.task import tasks_in

# Prometheus itself adds these to every series that it reads, and this one series.
ITS_OWN_LABELS = {"job", "instance"}
ITS_OWN_SERIES = "up"
SELECTOR = re.compile(r"\b(?P<name>up|(?:flexiprice|process)_\w+)\b(?:\{(?P<matchers>[^}]*)\})?")
MATCHER = re.compile(r'(?P<label>\w+)(?P<how>=~|!=|!~|=)"(?P<value>[^"]*)"')
GROUPING = re.compile(r"\b(?:by|on|without|ignoring) \((?P<labels>[^)]*)\)")
RULES = [
    rule
    for group in yaml.safe_load((DOCKER / "prometheus/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((DOCKER / "grafana/dashboards/flexiprice.json").read_text())
PANELS = DASHBOARD["panels"]


@dataclass(frozen=True)
class Query:
    """The queries for Prometheus, and the labels of their results that are shown."""

    place: str
    expression: str
    shown_labels: frozenset[str] = frozenset()

    def selectors(self) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
        """Names of series with label, operator and value of each matcher."""
        for found in SELECTOR.finditer(self.expression):
            yield found["name"], MATCHER.findall(found["matchers"] or "")

    def labels(self) -> set[str]:
        """The labels by which it groups, and those that are shown."""
        grouped = {
            label for found in GROUPING.findall(self.expression) for label in re.findall(r"\w+", found)
        }
        return grouped | self.shown_labels


def of_rules() -> Iterator[Query]:
    for rule in RULES:
        said = " ".join(rule["annotations"].values())
        yield Query(rule["alert"], rule["expr"], frozenset(re.findall(r"\$labels\.(\w+)", said)))


def of_dashboard() -> Iterator[Query]:
    for panel in PANELS:
        for target in panel["targets"]:
            shown = re.findall(r"{{(\w+)}}", target["legendFormat"])
            yield Query(panel["title"], target["expr"], frozenset(shown))


@pytest.fixture
async def told(settings: Settings) -> list[Sample]:
    """The series of a worker after a recompute, and of the API once the run is recorded."""
    texts: list[str] = []
    async with serve(settings) as client:
        resources = client.app.state.resources
        async with running(settings, tasks_in(tasks)) as worker:
            async with resources.sessions.begin() as session:
                await an_active_policy(session)
            job = await resources.tasks.enqueue(RECOMPUTE_ALL_DISCOUNTS, arguments={"days_threshold": 30})
            assert (await resources.tasks.wait(job.job_id, timedelta(seconds=60))).ready
            texts.append(worker.metrics.render().decode())
        texts.append((await client.get("/metrics")).text)
    families = [family for text in texts for family in text_string_to_metric_families(text)]
    return [sample for family in families for sample in family.samples]


def fits(sample: Sample, matchers: list[tuple[str, str, str]]) -> bool:
    for label, how, value in matchers:
        if label in ITS_OWN_LABELS or value.startswith("$"):
            continue
        given = sample.labels.get(label, "")
        is_it = given == value if how in {"=", "!="} else re.fullmatch(value, given) is not None
        if is_it is how.startswith("!"):
            return False
    return True


async def test_every_queried_series_is_exported_with_its_labels(told: list[Sample]) -> None:
    asked = [*of_rules(), *of_dashboard()]
    assert len(asked) >= len(RULES) + len(PANELS)
    for query in asked:
        selectors = list(query.selectors())
        assert selectors, query
        labels = set(ITS_OWN_LABELS)
        for name, matchers in selectors:
            found = [sample for sample in told if sample.name == name and fits(sample, matchers)]
            assert found or name == ITS_OWN_SERIES, f"{query.place}: nobody tells {name} {matchers}"
            labels.update(*(sample.labels for sample in found))
        assert query.labels() <= labels, query


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_says_in_words_what_is_wrong_and_which_command_helps(rule: dict) -> None:
    said = rule["annotations"]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["for"]
    assert len(said["summary"]) < 90
    commands = [text.split() for text in re.findall(r"`flexiprice ([^`]+)`", said["description"])]
    assert commands, "what is to be typed"
    for words in commands:
        require_command(words)


def test_the_dashboard_asks_whichever_prometheus_is_chosen() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    source = {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
    assert [panel["datasource"] for panel in PANELS] == [source] * len(PANELS)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_explains_itself_and_shows_its_numbers_in_their_unit(panel: dict) -> None:
    assert panel["description"]
    unit = panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        asked = target["expr"]
        if asked.startswith("60 * sum by (status) (rate("):
            expected = "cpm"
        elif "_seconds_count" in asked:
            expected = "percentunit" if " / " in asked else "reqps"
        else:
            (name, *_) = (name for name, _ in Query("", asked).selectors())
            kinds = {"_bytes": "bytes", "_seconds": "s", "_seconds_bucket": "s", "_takes_work": "bool_yes_no"}
            expected = next((kind for ending, kind in kinds.items() if name.endswith(ending)), "short")
        assert unit == expected, asked


def test_dashboard_panels_do_not_overlap() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for one, other in combinations([panel["gridPos"] for panel in PANELS], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in PANELS)


def test_series_that_nothing_exports_would_be_found() -> None:
    query = Query("a rule", 'sum by (queue) (flexiprice_queue_length{queue="x",shop!~"a|b"}) > up')
    assert list(query.selectors()) == [
        ("flexiprice_queue_length", [("queue", "=", "x"), ("shop", "!~", "a|b")]),
        ("up", []),
    ]
    assert query.labels() == {"queue"}
    assert not fits(Sample("flexiprice_queue_length", {"queue": "y"}, 1.0), [("queue", "=", "x")])
