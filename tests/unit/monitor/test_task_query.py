"""The address of the tasks page holds its filters; any text in it is readable."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.monitor.queries.task_query import LIVE, STATUSES, WINDOWS, TaskQuery, read_task_query
from flexiprice.domain.run import RunStatus
from flexiprice.queue.status import JobStatus
from flexiprice.runs.pages import RunOrder, RunPlace

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_KEYS = {
    RunOrder.STARTED: _INSTANTS,
    RunOrder.DURATION: st.timedeltas(timedelta(0), timedelta(days=400)),
    RunOrder.WAIT: st.timedeltas(timedelta(0), timedelta(days=400)),
    RunOrder.TASK: _TEXTS,
}


def opened(url: str) -> TaskQuery:
    """The query that an address stands for."""
    return read_task_query(dict(parse_qsl(urlsplit(url).query)))


@st.composite
def queries(draw: st.DrawFn) -> TaskQuery:
    order = draw(st.sampled_from(RunOrder))
    started_at = draw(_INSTANTS)
    key = started_at if order is RunOrder.STARTED else draw(_KEYS[order])
    place = RunPlace(key, started_at, draw(st.uuids()), before=draw(st.booleans()))
    chosen = draw(st.sets(st.sampled_from(STATUSES)))
    since = draw(st.none() | _INSTANTS)
    return TaskQuery(
        task=draw(_TEXTS),
        queue=draw(_TEXTS),
        worker=draw(_TEXTS),
        text=draw(_TEXTS),
        statuses=tuple(status for status in STATUSES if status in chosen),
        window="24h" if since else draw(st.sampled_from(sorted(WINDOWS))),
        since=since,
        until=draw(st.none() | _INSTANTS),
        order=order,
        descending=draw(st.booleans()),
        size=draw(st.sampled_from([25, 50, 100, 200])),
        place=draw(st.none() | st.just(place)),
    )


@given(queries())
def test_a_link_shows_to_others_what_it_shows_to_me(query: TaskQuery) -> None:
    assert opened(query.url) == query


@given(st.dictionaries(st.sampled_from(["status", "window", "since", "sort", "size", "page"]), _TEXTS))
def test_whatever_is_typed_into_the_address_is_read_as_something(parameters: dict[str, str]) -> None:
    query = read_task_query(parameters)
    assert opened(query.url) == query


@pytest.mark.parametrize(
    "page", ["after~", "after~2026-01-01~x~", "beside~2026-01-01~00~1", f"after~2026-01-01~{UUID(int=1)}~1e9"]
)
def test_a_place_that_cannot_be_read_is_the_first_page(page: str) -> None:
    assert read_task_query({"sort": "duration", "page": page}).place is None


def test_the_usual_page_has_a_short_address_and_shows_what_is_live() -> None:
    query = read_task_query({})
    assert query.url == "/tasks"
    assert query.live_statuses == set(LIVE)
    # Running tasks come from the live list, and would be listed twice.
    assert set(query.recorded_statuses) == set(RunStatus) - {RunStatus.RUNNING}
    assert query.run_filter(_NOW).since == _NOW - timedelta(days=1)


@pytest.mark.parametrize("elsewhere", [{"until": _NOW}, {"order": RunOrder.WAIT}, {"descending": False}])
def test_another_order_or_time_shows_only_what_is_recorded(elsewhere: dict[str, object]) -> None:
    query = TaskQuery().changed(**elsewhere)
    assert not query.live_statuses
    assert set(query.recorded_statuses) == set(RunStatus)


def test_a_status_narrows_what_is_live_and_what_is_recorded() -> None:
    failed = TaskQuery(statuses=("failed",))
    assert (failed.live_statuses, failed.recorded_statuses) == (frozenset(), (RunStatus.FAILED,))
    queued = TaskQuery(statuses=("queued",))
    assert (queued.live_statuses, queued.recorded_statuses) == ({JobStatus.QUEUED}, ())
    retrying = TaskQuery(statuses=("retrying",))
    assert (retrying.live_statuses, retrying.recorded_statuses) == (
        {JobStatus.RETRYING},
        (RunStatus.RETRYING,),
    )


def test_one_looks_back_from_the_end_that_was_chosen() -> None:
    until = _NOW - timedelta(days=90)
    assert TaskQuery(until=until).run_filter(_NOW).since == until - timedelta(days=1)
    assert TaskQuery(until=until, since=_NOW).run_filter(_NOW).since == _NOW


def test_a_change_leads_back_to_the_first_page() -> None:
    place = RunPlace(_NOW, _NOW, UUID(int=1))
    assert TaskQuery(place=place).changed(task="a") == TaskQuery(task="a")
    assert TaskQuery(task="a").changed(place=place).place == place


@pytest.mark.parametrize("text", ["20260310", "2026-W11-2", "2026W112", "260310", "1773100800"])
def test_an_instant_without_separators_is_not_read_as_one(text: str) -> None:
    assert read_task_query({"since": text}).since is None
    assert read_task_query({"since": "2026-03-01T12:00"}).since == _NOW
