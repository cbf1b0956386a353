"""Settings: every source, every default, and a message that names what is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from flexiprice.errors import InvalidSettings
from flexiprice.settings import PREFIX, SECRETS, Queue, Settings, load_settings, unknown_variables


@pytest.fixture(autouse=True)
def no_settings_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def test_the_defaults_are_the_schedules_and_limits_of_the_system_it_replaces() -> None:
    settings = load_settings()
    assert settings.recompute_schedule == "0 * * * *"
    assert settings.cleanup_schedule == "0 2 * * *"
    assert settings.price_history_schedule == "0 */6 * * *"
    assert settings.time_limit == timedelta(minutes=30)
    assert settings.soft_time_limit == timedelta(minutes=25)
    assert settings.worker_max_tasks == 1000
    assert settings.worker_prefetch == 4
    assert settings.worker_queues == (Queue.DISCOUNTS, Queue.MAINTENANCE, Queue.ANALYTICS)


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("DATABASE_URL", "mysql://localhost/shop", "must look like postgresql://"),
        ("REDIS_URL", "http://localhost", "must look like redis://"),
        ("API_KEY", "short", "at least 16 characters"),
        ("TRUSTED_PROXIES", "127.0.0.1,proxy", "proxy is not an address or network"),
        ("CORS_ORIGINS", "shop.example", "is not an origin"),
        ("CORS_ORIGINS", "https://shop.example/page", "is not an origin"),
        ("RECOMPUTE_SCHEDULE", "every hour", "five fields"),
        ("CLEANUP_SCHEDULE", "0 25 * * *", "Bad hour"),
        ("PRICE_HISTORY_SCHEDULE", "0 0 31 2 *", "not a crontab line|never comes due"),
        ("TIMEZONE", "Berlin", "IANA"),
        ("WORKER_QUEUES", "discounts,emails", "maintenance"),
        ("WORKER_CONCURRENCY", "0", "must be at least 1"),
        ("TIME_LIMIT", "soon", "must be a duration"),
        ("SOFT_TIME_LIMIT", "0", "must be at least 1 second"),
        ("WORKER_MAX_TASKS", "-1", "must be at least 0"),
        ("WORKER_METRICS_PORT", "70000", "must be at most 65535"),
        ("RUN_HISTORY_RETENTION_DAYS", "0", "must be at least 1"),
        ("CURRENCY", "JPY", "two decimals"),
        ("LOG_LEVEL", "chatty", "WARNING"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_setting(
    variable: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"FLEXIPRICE_{variable}", value)
    with pytest.raises(InvalidSettings, match=reason) as refused:
        load_settings()
    assert f"FLEXIPRICE_{variable}:" in refused.value.message


def test_a_wrong_secret_is_not_repeated_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXIPRICE_DATABASE_URL", "mysql://shop:hunter2@localhost/shop")
    with pytest.raises(InvalidSettings) as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXIPRICE_TIMEZONE", "nowhere")
    monkeypatch.setenv("FLEXIPRICE_WORKER_PREFETCH", "many")
    with pytest.raises(
        InvalidSettings, match=r"FLEXIPRICE_WORKER_PREFETCH.*FLEXIPRICE_TIMEZONE|FLEXIPRICE_TIMEZONE.*"
    ):
        load_settings()


def test_the_environment_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("FLEXIPRICE_CURRENCY=USD\nFLEXIPRICE_LOG_LEVEL=debug\n")
    monkeypatch.setenv("FLEXIPRICE_LOG_LEVEL", "error")
    settings = load_settings()
    assert (settings.currency, settings.log_level) == ("USD", "ERROR")


def test_a_running_up_is_found_through_its_file_unless_env_names_other_servers() -> None:
    Path(".flexiprice").mkdir()
    Path(".flexiprice/up.env").write_text("FLEXIPRICE_REDIS_URL=redis://localhost:7777/0\n")
    assert load_settings().require_redis_url() == "redis://localhost:7777/0"
    Path(".env").write_text("FLEXIPRICE_REDIS_URL=redis://redis.internal/0\n")
    assert load_settings().require_redis_url() == "redis://redis.internal/0"


def test_a_missing_url_says_which_setting_to_set() -> None:
    with pytest.raises(InvalidSettings, match="FLEXIPRICE_DATABASE_URL is not set"):
        load_settings().require_database_url()
    with pytest.raises(InvalidSettings, match="FLEXIPRICE_REDIS_URL is not set"):
        load_settings().require_redis_url()


def test_a_duration_is_written_in_seconds_or_as_iso_8601(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXIPRICE_TIME_LIMIT", "90")
    monkeypatch.setenv("FLEXIPRICE_RESULT_RETENTION", "PT2H")
    settings = load_settings()
    assert (settings.time_limit, settings.result_retention) == (timedelta(seconds=90), timedelta(hours=2))


def test_a_misspelt_variable_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXIPRICE_REDISURL", "redis://localhost")
    assert "FLEXIPRICE_REDISURL" in unknown_variables()


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_may_stand_in_a_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = {
        "database_url": "postgresql://shop:hunter2@db/shop",
        "redis_url": "redis://:hunter2@redis/0",
    }.get(name, "a-key-of-a-good-length")
    Path("secret").write_text(f"{value}\n")
    variable = f"FLEXIPRICE_{name.upper()}_FILE"
    monkeypatch.setenv(variable, "secret")
    assert getattr(load_settings(), name).get_secret_value() == value
    assert variable not in unknown_variables()


def test_every_secret_is_known_as_one() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field)}
    assert secret == set(SECRETS)


def test_nearer_source_of_a_secret_wins_and_file_with_value_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("secret").write_text("the-key-in-the-file")
    Path(".env").write_text("FLEXIPRICE_API_KEY=the-key-of-the-env-file\n")
    monkeypatch.setenv("FLEXIPRICE_API_KEY_FILE", "secret")
    assert load_settings().api_key == SecretStr("the-key-in-the-file")
    Path(".env").write_text("FLEXIPRICE_API_KEY_FILE=secret\n")
    monkeypatch.delenv("FLEXIPRICE_API_KEY_FILE")
    monkeypatch.setenv("FLEXIPRICE_API_KEY", "the-key-of-the-environment")
    assert load_settings().api_key == SecretStr("the-key-of-the-environment")
    monkeypatch.setenv("FLEXIPRICE_API_KEY_FILE", "secret")
    with pytest.raises(InvalidSettings, match="FLEXIPRICE_API_KEY and FLEXIPRICE_API_KEY_FILE are both set"):
        load_settings()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read .No such file"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"x" * 70_000, "is too long"),
        (b"hunter2", "must have at least 16 characters"),
    ],
)
def test_a_file_that_holds_no_secret_is_named_and_what_it_holds_is_not(
    content: bytes | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        Path("secret").write_bytes(content)
    monkeypatch.setenv("FLEXIPRICE_API_KEY_FILE", "secret")
    with pytest.raises(InvalidSettings, match=said) as refused:
        load_settings()
    assert "FLEXIPRICE_API_KEY" in str(refused.value)
    assert "hunter2" not in str(refused.value)
