"""The description of the API against the API: what is taken is valid by it, and what it leaves out is refused."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import orjson
import pytest

from gateway.api import ENDPOINTS
from gateway.api.anthropic.reading import read_count, read_messages
from gateway.api.chat import read_chat
from gateway.api.completions import MOST_PROMPTS, read_completion
from gateway.api.embeddings import MOST_INPUTS, read_embeddings
from gateway.api.openapi import description
from gateway.api.responses.reading import OTHERS, read_response
from gateway.app import create_app
from gateway.errors import InvalidValue
from gateway.settings import Server, Settings
from serving.fields import CHAT, COMPLETIONS, EMBEDDINGS, MAX_TOKENS, Table
from tests.fuzz.bodies import SAMPLES, body
from tests.gateway.api.conftest import ADMIN_KEY, Gateway

Json = dict[str, Any]

TABLES: dict[str, Table] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETIONS,
    "/v1/embeddings": EMBEDDINGS,
    "/v1/responses": OTHERS,
}
READS: dict[str, Callable[[bytes, Server], Any]] = {
    "/v1/chat/completions": read_chat,
    "/v1/completions": read_completion,
    "/v1/embeddings": read_embeddings,
    "/v1/responses": read_response,
    "/v1/messages": read_messages,
    "/v1/messages/count_tokens": read_count,
}
SEEDS = range(3000)
UNKNOWN = re.compile("is not accepted|is not a field|chat's name")


@pytest.fixture(scope="module")
def spec(gateway: Gateway) -> Json:
    answer = gateway.http.get("/openapi.json", headers={"authorization": f"Bearer {gateway.key()}"})
    assert answer.status_code == 200
    described: Json = answer.json()
    return described


def schema(spec: Json, path: str) -> Json:
    """Of the body."""
    name = spec["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
    found: Json = spec["components"]["schemas"][name]
    return found


def validator(spec: Json, shape: Json) -> Callable[[Any], bool]:
    return jsonschema_rs.validator_for({**shape, "components": spec["components"]}).is_valid


def fault(path: str, what: bytes) -> str | None:
    """Why a body is not taken, before anything but its words is known."""
    try:
        READS[path](what, Server())
    except InvalidValue as refusal:
        return refusal.message
    return None


def test_whoever_asks_the_app_for_it_has_all_of_it() -> None:
    """FastAPI's own is of its own routes alone, and it keeps the first that is made."""
    app = create_app(Settings())
    assert ENDPOINTS.keys() <= app.openapi()["paths"].keys()
    assert app.openapi() is description(app)


def test_every_path_is_there_and_so_is_all_that_it_refers_to(spec: Json) -> None:
    assert ENDPOINTS.keys() | {"/v1/models", "/admin/keys/{key_id}/rotate", "/openapi.json"} <= spec["paths"].keys()
    assert set(references(spec)) <= {f"#/components/schemas/{name}" for name in spec["components"]["schemas"]}


def references(node: Any) -> Iterator[str]:
    """A reference to nothing would be an error only of whoever reads the description."""
    if isinstance(node, dict) and isinstance(node.get("$ref"), str):
        yield node["$ref"]
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from references(child)


def test_every_body_and_every_query_is_described(gateway: Gateway, spec: Json) -> None:
    """A route that reads a query refuses what it does not know of it."""
    assert [path for path, of in spec["paths"].items() for what in writing(of) if "requestBody" not in what] == []
    for path in (path for path, operations in spec["paths"].items() if "get" in operations and "{" not in path):
        key = ADMIN_KEY if path.startswith("/admin") else gateway.key()
        answer = gateway.http.get(f"{path}?nonsense=1", headers={"authorization": f"Bearer {key}"})
        assert (answer.status_code == 400) == bool(spec["paths"][path]["get"].get("parameters")), path


def writing(operations: Json) -> list[Json]:
    return [operation for method, operation in operations.items() if method in ("post", "patch", "put")]


@pytest.mark.parametrize("path", TABLES)
def test_it_has_the_fields_of_the_positive_list_and_no_other(spec: Json, path: str) -> None:
    table = TABLES[path]
    assert schema(spec, path)["properties"].keys() == table.fields.keys() | table.handled
    assert schema(spec, path)["properties"].keys() & table.refused.keys() == set()


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_field_is_unknown_where_it_leaves_it_out_and_nowhere_else(spec: Json, path: str) -> None:
    """Asked with a value of no field's type, so that whatever is known is at fault for its value."""
    known = schema(spec, path)["properties"].keys()
    names = known | {name for table in TABLES.values() for name in (*table.fields, *table.refused, *table.handled)}
    for name in names:
        said = fault(path, orjson.dumps(dict(SAMPLES[path]) | {name: [[0.5]]}))
        assert bool(said and UNKNOWN.search(said)) == (name not in known), f"{name}: {said}"
    assert schema(spec, path)["additionalProperties"] is False


@pytest.mark.parametrize("path", ENDPOINTS)
def test_what_is_taken_is_valid(spec: Json, path: str) -> None:
    shape = schema(spec, path)
    valid = validator(spec, shape)
    taken = [orjson.loads(what) for of, what in map(body, SEEDS) if of == path and not fault(path, what)]
    assert len(taken) > 50
    # A field that is refused may be null, which no schema shows.
    said = [{name: value for name, value in one.items() if name in shape["properties"] or value} for one in taken]
    assert [one for one in said if not valid(one)] == []
    assert not valid({"model": 7})


@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        ("/v1/completions", "prompt", ["a", [], ["a"], ["a"] * MOST_PROMPTS, ["a"] * (MOST_PROMPTS + 1), "", [""], 7]),
        ("/v1/embeddings", "input", ["a", [], ["a"], ["a"] * MOST_INPUTS, ["a"] * (MOST_INPUTS + 1), "", [""], [7]]),
        ("/v1/responses", "max_output_tokens", [None, 0, 1, MAX_TOKENS, MAX_TOKENS + 1, "1"]),
        ("/v1/responses", "top_logprobs", [None, -1, 0, 20, 21]),
    ],
)
def test_what_is_read_beside_a_shape_has_the_same_bounds(spec: Json, path: str, name: str, values: list[Any]) -> None:
    valid = validator(spec, schema(spec, path))
    rest = {name: value for name, value in SAMPLES[path].items() if name != "stream"}  # streams answer one prompt
    asked = [rest | {name: value} for value in values]
    assert [valid(one) for one in asked] == [fault(path, orjson.dumps(one)) is None for one in asked]
    assert {True, False} == set(map(valid, asked))


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_refusal_is_as_described(gateway: Gateway, spec: Json, path: str) -> None:
    key = {"authorization": f"Bearer {gateway.key()}"}
    unknown = dict(SAMPLES[path]) | {"model": "no-such-model"}
    for status, headers, asked in ((401, {}, SAMPLES[path]), (400, key, {}), (404, key, unknown)):
        answer = gateway.http.post(path, json=asked, headers=headers)
        assert answer.status_code == status
        shape = spec["paths"][path]["post"]["responses"][str(status)]["content"]["application/json"]["schema"]
        assert validator(spec, shape)(answer.json())
        assert not validator(spec, shape)({"detail": "Unauthorized"})


def test_it_says_what_needs_no_key(gateway: Gateway, spec: Json) -> None:
    routes = {path: operations["get"] for path, operations in spec["paths"].items() if "get" in operations}
    without = {path for path, operation in routes.items() if operation.get("security", spec["security"]) == []}
    assert without == {path for path in routes if gateway.http.get(path).status_code == 200}
    assert gateway.http.get("/openapi.json").status_code == 401


def test_a_wrong_method_is_told_the_right_ones(gateway: Gateway, spec: Json) -> None:
    """RFC 9110, section 15.5.6."""
    keys = {"tenant": gateway.key(), "admin": ADMIN_KEY}
    for path, operations in spec["paths"].items():
        key = keys["admin" if path.startswith("/admin") else "tenant"]
        answer = gateway.http.request("TRACE", path, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 405
        assert set(answer.headers["allow"].lower().split(", ")) == operations.keys(), path
