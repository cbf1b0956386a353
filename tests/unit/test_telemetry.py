import json
import logging

import pytest
import structlog

from flexiprice.log_config import configure_logging
from flexiprice.settings import load_settings
from flexiprice.telemetry import configure_logging_when_used, get_logger, without_secrets


@pytest.fixture(autouse=True)
def restored_logging():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_lines_and_those_of_libraries_look_alike(capsys: pytest.CaptureFixture[str]):
    configure_logging(load_settings(env_files=(), log_format="json"))

    get_logger("flexiprice.x").info("priced", batches=3)
    logging.getLogger("somewhere").info("said %d", 2)

    ours, theirs = lines(capsys)
    assert (ours["message"], ours["batches"], ours["level"], ours["logger"]) == (
        "priced",
        3,
        "info",
        "flexiprice.x",
    )
    assert (theirs["message"], theirs["level"], theirs["logger"]) == ("said 2", "info", "somewhere")
    assert str(ours["timestamp"]).endswith("Z")


def test_no_secret_reaches_a_line(capsys: pytest.CaptureFixture[str]):
    configure_logging(load_settings(env_files=(), log_format="json"))

    get_logger("x").warning("connecting", url="redis://:hunter2@h/0", api_key="hunter2", redis_url="hunter2")
    logging.getLogger("y").warning("to %s", "postgresql://shop:hunter2@db/x")
    get_logger("x").warning("sent", headers={"X-API-Key": "hunter2"}, places=["redis://:hunter2@h/0"], n=1)
    key = "fp_0123456789ab_" + b"hunter2".hex() + "0" * 34
    logging.getLogger("y").warning("GET /prices?key=%s", key)
    error = RuntimeError("redis+sentinel://:hunter2@h/mymaster?sentinel_password=hunter2")
    get_logger("z").error("failed", exc_info=error)

    written = capsys.readouterr().err
    assert "hunter2" not in written
    assert key[16:] not in written
    assert "GET /prices?key=fp_0123456789ab_***" in written
    assert "redis://***@h/0" in written


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]):
    configure_logging(load_settings(env_files=(), log_format="json", log_level="warning"))

    get_logger("x").info("quiet")
    get_logger("x").warning("loud")

    assert [line["message"] for line in lines(capsys)] == ["loud"]


def test_libraries_that_say_every_step_are_heard_only_when_something_is_wrong(
    capsys: pytest.CaptureFixture[str],
):
    configure_logging(load_settings(env_files=(), log_format="json"))

    logging.getLogger("arq.worker").info("step")
    logging.getLogger("arq.worker").warning("trouble")

    assert [line["message"] for line in lines(capsys)] == ["trouble"]


def test_for_people_a_line_is_text(capsys: pytest.CaptureFixture[str]):
    configure_logging(load_settings(env_files=(), log_format="console"))

    get_logger("x").info("priced", batches=3)

    assert "priced" in (line := capsys.readouterr().err)
    assert "batches=3" in line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("rediss://user:p@ss/w@h/0", "rediss://***@h/0"),
        ("at https://example.org/a?b=c.", "at https://example.org/a?b=c."),
        ("unix:///run/redis.sock?db=1&password=p", "unix:///run/redis.sock?db=1&password=***"),
    ],
)
def test_only_the_secret_part_of_a_url_is_hidden(text: str, shown: str):
    assert without_secrets(text) == shown


def test_the_token_of_an_address_that_signs_in_is_hidden() -> None:
    for text in ("GET /login?token=abc-DEF_1 HTTP", "http://localhost:5555/login?next=/&token=abc-DEF_1"):
        assert "abc-DEF_1" not in without_secrets(text)
        assert "token=***" in without_secrets(text)


def test_logging_that_is_configured_when_used_writes_the_first_line_like_all_others(
    capsys: pytest.CaptureFixture[str],
):
    configured: list[str] = []

    def configure() -> None:
        configured.append("now")
        configure_logging(load_settings(env_files=(), log_format="json"))

    configure_logging_when_used(configure)
    assert not configured
    logging.getLogger("somewhere").warning("said first")
    logging.getLogger("somewhere").warning("said second")

    assert [(line["message"], line["logger"]) for line in lines(capsys)] == [
        ("said first", "somewhere"),
        ("said second", "somewhere"),
    ]
    assert configured == ["now"]


def test_our_own_first_line_configures_logging_too(capsys: pytest.CaptureFixture[str]):
    configure_logging_when_used(
        lambda: configure_logging(load_settings(env_files=(), log_format="json", log_level="warning"))
    )
    get_logger("flexiprice.first").info("too quiet")
    get_logger("flexiprice.first").warning("heard", batches=1)
    assert [(line["message"], line["batches"]) for line in lines(capsys)] == [("heard", 1)]
