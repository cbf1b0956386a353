"""Every error is an RFC 9457 problem that names the fault and no secret."""

import asyncio
import json
from datetime import timedelta

import pytest
from fastapi import APIRouter

from tests.support.api_server import serve
from tests.support.catalogue import ADMIN

JSON = {"Content-Type": "application/json"}


def is_problem(response, status: int, code: str) -> bool:
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, body["status"], body["code"]) == (status, status, code), response.text
    assert body["request_id"] == response.headers["x-request-id"]
    return bool(body["title"] and body["detail"])


async def test_unknown_path_or_method_is_a_problem(reader):
    assert is_problem(await reader.get("/api/v1/nothing"), 404, "not_found")
    assert is_problem(await reader.get("/api/v1/products/NONE/price"), 404, "not_found")
    response = await reader.put(f"{ADMIN}/stores")
    assert is_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"]


async def test_bad_parameters_are_named_with_their_reason(reader):
    for query, field in (
        ("days_threshold=0", "days_threshold"),
        ("days_threshold=366", "days_threshold"),
        ("days_threshold=soon", "days_threshold"),
        ("async_task=perhaps", "async_task"),
        ("days_treshold=5", "days_treshold"),
    ):
        response = await reader.post(f"{ADMIN}/discounts/trigger-recompute?{query}")
        assert is_problem(response, 422, "invalid_input")
        [error] = response.json()["errors"]
        assert error["field"] == field
        assert error["reason"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"NaN",
        b'{"sku": NaN}',
        b'{"base_price": 1e999999999999999999999}',
        b'{"base_price": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"sku": "a", "sku": "b"}',
    ],
)
async def test_a_body_that_is_no_object_of_the_expected_shape_is_the_clients_error(reader, body):
    response = await reader.post(f"{ADMIN}/products", content=body, headers=JSON)
    assert is_problem(response, 422, "invalid_input")
    assert response.json()["errors"]


async def test_a_body_of_another_type_or_too_large_is_refused(reader):
    product = json.dumps({"sku": "A", "name": "A", "category": "A", "base_price": 1})
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {},
    ):
        response = await reader.post(f"{ADMIN}/products", content=product, headers=headers)
        assert is_problem(response, 415, "unsupported_media_type")

    async def in_pieces():
        for _ in range(17):
            yield b" " * 65_536

    for content in (b" " * 1_048_577, in_pieces()):
        response = await reader.post(f"{ADMIN}/products", content=content, headers=JSON)
        assert is_problem(response, 413, "content_too_large")


async def test_the_limits_of_bodies_are_settings_and_uploads_have_one_of_their_own(shared_settings):
    settings = shared_settings.model_copy(update={"max_body_bytes": 2000, "max_upload_bytes": 3000})
    async with serve(settings) as client:
        for method, path, media_type, most in (
            ("POST", "products", "application/json", 2000),
            ("PUT", "batches", "application/x-ndjson", 3000),
        ):
            for size, status in ((most, 422), (most + 1, 413)):
                response = await client.request(
                    method,
                    f"{ADMIN}/{path}?atomic=true" if method == "PUT" else f"{ADMIN}/{path}",
                    content=b"x" * size,
                    headers={"Content-Type": media_type},
                )
                assert response.status_code == status, (path, size)


async def test_slow_request_body_is_refused(shared_settings):
    async def dripping():
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    settings = shared_settings.model_copy(update={"body_timeout": timedelta(milliseconds=100)})
    async with serve(settings) as client:
        response = await client.post(f"{ADMIN}/products", content=dripping(), headers=JSON)
    assert is_problem(response, 408, "request_timeout")
    assert response.headers["connection"] == "close"


async def test_problem_repeats_a_clients_text_only_as_valid_text(reader):
    body = '{"\\ud800": 1, "sku": "\\udfff"}'
    response = await reader.post(f"{ADMIN}/products", content=body, headers=JSON)
    assert is_problem(response, 422, "invalid_input")
    response = await reader.get("/api/v1/products/%ED%A0%80/price")
    assert response.status_code in {404, 422}
    assert is_problem(response, response.status_code, response.json()["code"])


async def test_a_cursor_that_this_list_did_not_give_is_refused(reader):
    for cursor in ("x", "WzFd", "ü", "AAAA", "bnVsbA==", "MA" * 600):
        for path in ("stores", "products", "batches", "discounts", "discounts/1/history"):
            if (path, cursor) == ("products", "WzFd"):
                continue
            response = await reader.get(f"{ADMIN}/{path}", params={"cursor": cursor})
            assert is_problem(response, 422, "invalid_input"), (path, cursor)
            assert response.json()["errors"][0]["field"] == "cursor"


async def test_an_unexpected_error_tells_only_the_id_under_which_the_log_has_it(
    shared_settings, capsys, caplog
):
    router = APIRouter()

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the secret word")

    async with serve(shared_settings) as client:
        client.app.include_router(router)
        response = await client.get("/broken")
    assert is_problem(response, 500, "internal_error")
    assert "secret" not in response.text
    # A fixture of the same process may have sent the log to the standard library's.
    logged = capsys.readouterr().out + caplog.text
    assert "the secret word" in logged
    assert response.json()["request_id"] in logged


async def test_a_usable_request_id_of_the_clients_own_is_kept(reader):
    for given, kept in (("order-17.a_b", True), ("x" * 65, False), ("a b", False), ('"; drop', False)):
        response = await reader.get("/api/v1/health/live", headers={"X-Request-ID": given})
        assert (response.headers["x-request-id"] == given) is kept
