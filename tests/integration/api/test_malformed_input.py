"""Malformed input to any endpoint is a client error or accepted, never a server error."""

import copy
import json
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.main import create_app
from flexiprice.settings import load_settings
from tests.support.catalogue import create_product, discounted_batch

UNREACHABLE = load_settings(env_files=(), database_url="postgresql://nowhere/x", redis_url="redis://nowhere")
DOCUMENT = create_app(UNREACHABLE).openapi()
OPERATIONS = sorted((method, path) for path, item in DOCUMENT["paths"].items() for method in item)

NASTY = [
    "", " ", "\x00", "a\x00b", "\ud800", "\u202e", "é", "e\u0301", "'; DROP TABLE batches; --", "%", "%00",
    "../..", "//", "-1", "0", "1", "2147483648", "9223372036854775808", "9" * 400, "1e400", "NaN", "inf",
    "-0", "1_0", "٣", "null", "true", "2025-02-30", "2025-03-01", "0000-00-00", "9999-12-31", "1700000000",
    "main", "BREAD", "x" * 3000,
]  # fmt: skip
EXISTING = {"sku": "BREAD", "batch_id": "1", "store": "main", "version": "1"}
TEXT = st.sampled_from(NASTY) | st.text(st.characters(), max_size=30)
NUMBERS = (
    st.sampled_from([0, 1, -1, 2**31, 2**63, 2**64, 10**40, 0.1, 1e300, -0.0, 1.005])
    | st.integers()
    | st.floats()
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
MEDIA_TYPES = ["application/json", "application/x-ndjson", "text/csv", "text/plain", "", "\xff", "a/b;=;"]


def examples_of(operation: dict) -> list:
    """The bodies that the documentation shows for an operation."""
    found = []
    for media in operation.get("requestBody", {}).get("content", {}).values():
        schema = media["schema"]
        options = [schema, *schema.get("anyOf", [])]
        names = [option["$ref"].rpartition("/")[2] for option in options if "$ref" in option]
        found += [
            example for name in names for example in DOCUMENT["components"]["schemas"][name]["examples"]
        ]
        found += [media["example"]] if "example" in media else []
    return found


def with_something_else_in_it(draw, body):
    """The same body with one of its parts, at any depth, replaced or added."""
    body = copy.deepcopy(body)
    part = body
    while isinstance(part, dict | list) and part:
        key = draw(st.sampled_from(list(part) if isinstance(part, dict) else range(len(part))))
        if not isinstance(part[key], dict | list) or draw(st.booleans()):
            part[key] = draw(JSON)
            break
        part = part[key]
    if isinstance(body, dict) and draw(st.integers(0, 9)) == 0:
        body[draw(TEXT)] = draw(SCALARS)
    return body


@st.composite
def bodies(draw, operation: dict) -> bytes:
    """Bytes, JSON, or one of the documented bodies with something else in it."""
    shown = examples_of(operation)
    kind = draw(st.sampled_from([*["shown", "changed", "changed"] * bool(shown), "json", "bytes"]))
    if kind == "bytes":
        return draw(st.binary(max_size=200))
    body = draw(JSON if kind == "json" else st.sampled_from(shown))
    if kind == "changed":
        body = with_something_else_in_it(draw, body)
    return body.encode(errors="surrogatepass") if isinstance(body, str) else json.dumps(body).encode()


@st.composite
def requests(draw) -> dict:
    """A request to some operation."""
    method, path = draw(st.sampled_from(OPERATIONS))
    operation = DOCUMENT["paths"][path][method]
    documented = list(operation.get("requestBody", {}).get("content", {"application/json": {}}))
    media_type = draw(st.sampled_from(documented * 10 + MEDIA_TYPES))
    query, headers = [], {"Content-Type": media_type.encode("latin-1")}
    for parameter in operation.get("parameters", []):
        # Existing rows are read and changed, but never deleted, so that some stay.
        existing = st.just("none" if method == "delete" else EXISTING.get(parameter["name"], "1"))
        value = draw(existing | TEXT)
        if parameter["in"] == "path":
            path = path.replace(
                f"{{{parameter['name']}}}", quote(value.encode(errors="surrogatepass"), safe="")
            )
        elif parameter["in"] == "query" and parameter["name"] != "wait" and draw(st.booleans()):
            query.append((parameter["name"], value.encode(errors="surrogatepass")))
        elif parameter["in"] == "header" and draw(st.booleans()):
            headers[parameter["name"]] = value.encode(errors="surrogatepass").translate(None, b"\r\n\x00")
    if draw(st.integers(0, 9)) == 0:
        query.append((draw(TEXT).encode(errors="surrogatepass"), b"1"))
    content = draw(bodies(operation)) if "requestBody" in operation or draw(st.integers(0, 9)) == 0 else b""
    return {
        "method": method.upper(),
        "url": f"{path}?{urlencode(query)}",
        "headers": headers,
        "content": content,
    }


@settings(
    max_examples=250,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(sent=st.lists(requests(), min_size=1, max_size=3))
async def test_malformed_input_is_never_answered_with_5xx(client, sent):
    if not getattr(client, "filled", False):
        await discounted_batch(client)
        await create_product(client, "BREAD-RYE-1")
        client.filled = True
    for request in sent:
        response = await client.request(**request)
        if "/health/ready" in request["url"]:
            continue
        assert response.status_code < 500, (request, response.text)
        if response.status_code >= 400:
            problem = response.json()
            assert response.headers["content-type"] == "application/problem+json", request
            assert problem["code"], request
            assert problem["detail"], request
