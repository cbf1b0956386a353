"""promtool fires each alert rule of docker/prometheus when it should and not before."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.support.compose_file import DOCKER
from tests.support.external_tools import promtool, run

pytestmark = pytest.mark.contracts

FOLDER = DOCKER / "prometheus"
RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}
Series = Mapping[str, str]


@dataclass(frozen=True)
class Case:
    """A series that an alert fires on, and one that it does not.

    Attributes:
        alert: its name, without the product's.
        trouble: series, a sample a minute, that it is to fire on.
        since: the minute of the first sample on which it is to fire; after its `for` it does.
        quiet: series at which it must stay silent to the end: what is nearly trouble.
        labels: of the alert that fires, beside name and severity.
    """

    alert: str
    trouble: Series
    quiet: Series
    since: int = 0
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


def runs(status: str, samples: str, task: str = "cleanup") -> Series:
    return {f'flexiprice_task_runs_total{{job="w",instance="a",task="{task}",status="{status}"}}': samples}


def answers(status: str, samples: str) -> Series:
    return {f'flexiprice_api_request_duration_seconds_count{{instance="a",status="{status}"}}': samples}


LAST_SUCCESS = 'flexiprice_task_last_success_timestamp_seconds{task="recompute_all_discounts"}'
API_UP = 'up{job="flexiprice-api",instance="a"}'
WORKER_UP = 'up{job="flexiprice-worker",instance="b"}'
CASES = [
    Case(
        "ProgramDown",
        trouble={API_UP: "1x500", WORKER_UP: "1 1 0x500"},
        since=2,
        quiet={WORKER_UP: "1 0 0 1x500", 'up{job="another",instance="c"}': "0x500"},
        labels={"job": "flexiprice-worker", "instance": "b"},
    ),
    Case(
        "NoWorkerForQueue",
        trouble={
            'flexiprice_queue_workers{instance="a",queue="discounts"}': "1 0x500",
            'flexiprice_queue_workers{instance="a",queue="analytics"}': "1x500",
        },
        since=1,
        # Replaced by another within two minutes, as in a deploy.
        quiet={'flexiprice_queue_workers{instance="a",queue="discounts"}': "1 0 0 2x500"},
        labels={"queue": "discounts"},
    ),
    Case(
        "QueueDelayed",
        trouble={'flexiprice_queue_oldest_waiting_seconds{queue="discounts"}': "0+60x500"},
        since=6,
        quiet={'flexiprice_queue_oldest_waiting_seconds{queue="discounts"}': "290x500"},
        labels={"queue": "discounts"},
    ),
    Case(
        "ScheduleLate",
        trouble={'flexiprice_schedule_lag_seconds{schedule="nightly"}': "0+60x500"},
        since=3,
        # Caught up with after three minutes.
        quiet={'flexiprice_schedule_lag_seconds{schedule="nightly"}': "0 60 120 180 0x500"},
        labels={"schedule": "nightly"},
    ),
    Case(
        "ScheduleMissed",
        trouble={'flexiprice_schedule_lag_seconds{schedule="nightly"}': "0+60x500"},
        since=61,
        quiet={'flexiprice_schedule_lag_seconds{schedule="nightly"}': "3500x500"},
        labels={"schedule": "nightly"},
    ),
    Case(
        "SchedulesDisagree",
        trouble={"flexiprice_schedule_disagreements": "2x500"},
        # While one worker after the other is restarted with new settings.
        quiet={"flexiprice_schedule_disagreements": "2x10 0x500"},
    ),
    Case(
        "TaskFailing",
        trouble=runs("failed", "0 1x500") | runs("succeeded", "0 1 2x500"),
        since=1,
        quiet=runs("failed", "0 1x500") | runs("succeeded", "0+10x500") | runs("failed", "0x500", "other"),
        labels={"task": "cleanup"},
    ),
    Case(
        "DeadLetters",
        trouble={
            'flexiprice_dead_letters{instance="a",reason="failed"}': "0 3x500",
            'flexiprice_dead_letters{instance="b",reason="failed"}': "0 3x500",
        },
        since=1,
        quiet={'flexiprice_dead_letters{reason="failed"}': "0x500"},
        labels={"reason": "failed"},
    ),
    Case(
        "WorkersDie",
        trouble={"flexiprice_jobs_recovered_total": "0 1x500"},
        since=1,
        quiet={"flexiprice_jobs_recovered_total": "4x500"},
    ),
    Case(
        "PricesOld",
        trouble={LAST_SUCCESS: "0x500"},
        since=121,
        # Prometheus's own clock begins at zero here: succeeded an hour ago, ever again.
        quiet={LAST_SUCCESS: "-3600+60x500", LAST_SUCCESS.replace("recompute", "another"): "0x500"},
    ),
    Case(
        "ExpiredDiscounts",
        trouble={"flexiprice_discounts_expired": "9x500"},
        # Until the next hourly recompute.
        quiet={"flexiprice_discounts_expired": "9x59 0x500"},
    ),
    Case(
        "DatabaseRefusesWork",
        trouble={
            'flexiprice_database_takes_work{job="flexiprice-worker",instance="a"}': "1x500",
            'flexiprice_database_takes_work{job="flexiprice-worker",instance="b"}': "1 0x500",
        },
        since=1,
        quiet={'flexiprice_database_takes_work{job="flexiprice-worker"}': "1 1 1x500"},
        labels={"job": "flexiprice-worker"},
    ),
    Case(
        "RedisAway",
        trouble={API_UP: "1x500", 'flexiprice_workers_alive{instance="a"}': "1 stale"},
        since=1,
        # One program that cannot reach it is another matter; nor do programs tell that are down.
        quiet={API_UP: "1x500", WORKER_UP: "1 0x500", 'flexiprice_workers_alive{instance="a"}': "0x500"},
    ),
    Case(
        "RedisEvicts",
        trouble={'flexiprice_redis_risk{risk="evicts"}': "0 1x500"},
        since=1,
        quiet={
            'flexiprice_redis_risk{risk="evicts"}': "0x500",
            'flexiprice_redis_risk{risk="forgets"}': "1x500",
        },
    ),
    Case(
        "RedisNearlyFull",
        trouble={'flexiprice_redis_risk{risk="nearly_full"}': "1x500"},
        quiet={'flexiprice_redis_risk{risk="nearly_full"}': "1 1 1 0x500"},
    ),
    Case(
        "RedisForgets",
        trouble={'flexiprice_redis_risk{risk="forgets"}': "1x500"},
        quiet={
            'flexiprice_redis_risk{risk="forgets"}': "0x500",
            'flexiprice_redis_risk{risk="evicts"}': "1x500",
        },
    ),
    Case(
        "ClockWrong",
        trouble={"flexiprice_worker_clock_drift_seconds": "0 3x500"},
        since=1,
        quiet={"flexiprice_worker_clock_drift_seconds": "1.5x500"},
    ),
    Case(
        "ApiErrors",
        trouble=answers("5xx", "0+6x500") | answers("2xx", "0+60x500"),
        since=1,
        quiet=answers("5xx", "0+2x500") | answers("2xx", "0+60x500") | answers("4xx", "0+60x500"),
    ),
]
MINUTES_IN = {"h": 60, "m": 1}


def waits(rule: Mapping[str, str]) -> int:
    """Minutes for which a rule's expression must hold."""
    return int(rule["for"][:-1]) * MINUTES_IN[rule["for"][-1]]


def test_every_alert_rule_has_a_case() -> None:
    assert sorted(f"FlexiPrice{case.alert}" for case in CASES) == sorted(RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_alert_rule_fires_when_its_trouble_has_lasted_and_not_before(case: Case, tmp_path: Path) -> None:
    name = f"FlexiPrice{case.alert}"
    rule = RULES[name]
    due = case.since + waits(rule)
    labels = {"alertname": name, "alertstate": "firing", **rule["labels"], **case.labels}
    firing = ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items())

    def seen(minute: int, *alerts: str) -> dict[str, object]:
        return {
            "expr": f'ALERTS{{alertname="{name}",alertstate="firing"}}',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": alert, "value": 1} for alert in alerts],
        }

    def tried(series: Series, *expected: dict[str, object]) -> dict[str, object]:
        given = [{"series": key, "values": values} for key, values in series.items()]
        return {"interval": "1m", "input_series": given, "promql_expr_test": list(expected)}

    trial = tmp_path / "trial.yaml"
    trial.write_text(
        yaml.safe_dump(
            {
                "rule_files": [str(FOLDER / "alerts.yaml")],
                "evaluation_interval": "1m",
                "tests": [
                    tried(case.trouble, seen(due - 1), seen(due, f"ALERTS{{{firing}}}")),
                    tried(case.quiet, *(seen(minute) for minute in (due, due + 1, due + 180, 480))),
                ],
            }
        )
    )
    run([promtool(), "test", "rules", str(trial)], cwd=tmp_path)


def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    panels = json.loads((DOCKER / "grafana/dashboards/flexiprice.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    # Grafana replaces it by a span of time.
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, expression in enumerate(asked)
    ]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    told = run([promtool(), "check", "rules", "queries.yaml"], cwd=tmp_path)
    assert f"SUCCESS: {len(asked)} rules found" in told


def test_prometheus_can_read_its_configuration_and_the_rules() -> None:
    # The rest of the check asks for the file of the key, which only the container has.
    run([promtool(), "check", "config", "--syntax-only", "prometheus.yaml"], cwd=FOLDER)
    assert yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["rule_files"] == ["alerts.yaml"]
    told = run([promtool(), "check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"], cwd=FOLDER)
    assert f"SUCCESS: {len(RULES)} rules found" in told
