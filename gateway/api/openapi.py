"""GET /openapi.json: the API as OpenAPI 3.1 has it, for client generators and API explorers that have a key.

FastAPI describes its own routes, but for the bodies and queries that these read themselves. The inference endpoints are
past it, and are described here from what reads them (`described.py`), the positive lists of their fields and the tree
of `gateway.errors`; answers are OpenAI's and Anthropic's own, and only named.

Invariant: a body that is taken is valid by its schema, but for the nulls of refused fields, which are not shown. The
converse does not hold: what depends on other fields, on the settings or on the model is beyond a schema.
"""

import re
from collections import defaultdict
from typing import Any

import orjson
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.api.auth import somebody
from gateway.api.described import BODIES, DESCRIBED, QUERIES, AnthropicErrorBody, Described, ErrorBody
from gateway.errors import Refusal, WrongMethod
from serving.fields import Table

Json = dict[str, Any]

SCHEMAS = "#/components/schemas/"
KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
OPEN = ("/health/live", "/health/ready", "/metrics")  # without a key
BUG = "`internal_error`: when the gateway fails; its log has the cause under the request id."
# How pydantic names shapes of one name: by their modules.
QUALIFIED = re.compile(r"gateway__api__(\w+)")


def _ref(shape: type[BaseModel]) -> Json:
    return {"$ref": f"{SCHEMAS}{shape.__name__}"}


def _failure(meaning: str, body: type[BaseModel] = ErrorBody) -> Json:
    return {"description": meaning, "content": {"application/json": {"schema": _ref(body)}}}


FAILURES: dict[int | str, Json] = {"default": _failure("A refusal or a failure.")}  # of FastAPI's own routes

router = APIRouter()


@router.get("/openapi.json", dependencies=[Depends(somebody)])
async def openapi(request: Request) -> Json:
    """This description."""
    return description(request.app)


def description(app: FastAPI) -> Json:
    """The whole API, made once. `gateway.api.wrap` puts it in the place of `app.openapi`: nobody else may make it."""
    if app.openapi_schema is None:
        spec = get_openapi(title=app.title, version=app.version, routes=app.routes)
        _completed(spec["paths"])
        spec["paths"] = {path: {"post": _operation(one)} for path, one in DESCRIBED.items()} | spec["paths"]
        spec["components"] = {"schemas": _schemas(), "securitySchemes": KEYS}
        spec["security"] = [{name: []} for name in KEYS]
        app.openapi_schema = spec
    return app.openapi_schema


def _completed(paths: Json) -> None:
    """Add to FastAPI's operations what it does not know of them."""
    for path in OPEN:
        paths[path]["get"]["security"] = []
    for (path, method), body in BODIES.items():
        needed = any(field.is_required() for field in body.model_fields.values())
        paths[path][method]["requestBody"] = _asked(body, needed)
    for path, query in QUERIES.items():
        paths[path]["get"]["parameters"] = _parameters(query)


def _asked(body: type[BaseModel], required: bool, **more: Any) -> Json:
    return {"required": required, "content": {"application/json": {"schema": _ref(body), **more}}}


def _parameters(query: type[BaseModel]) -> list[Json]:
    schema = query.model_json_schema()
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": value}
        for name, value in schema["properties"].items()
    ]


def _operation(endpoint: Described) -> Json:
    answers: Json = {"application/json": {"schema": {"type": "object"}}}
    if "stream" in endpoint.body.model_fields:
        answers["text/event-stream"] = {}
    return {
        "operationId": endpoint.name,
        "externalDocs": {"url": endpoint.url},
        "requestBody": _asked(endpoint.body, True, example=endpoint.example),
        "responses": {"200": {"description": "The answer.", "content": answers}} | _failures(endpoint.error),
    }


def _failures(body: type[BaseModel]) -> Json:
    """Every refusal, by status."""
    reasons = defaultdict(list, {500: [BUG]})
    for refusal in Refusal.__subclasses__():
        if refusal is not WrongMethod:
            reasons[refusal.status].append(f"`{refusal.code}`: {str(refusal.__doc__).removeprefix('Raised ')}")
    return {str(status): _failure(" ".join(reasons[status]), body) for status in sorted(reasons)}


def _schemas() -> Json:
    shapes: list[type[BaseModel]] = [endpoint.body for endpoint in DESCRIBED.values()]
    shapes += [*BODIES.values(), ErrorBody, AnthropicErrorBody]
    _, made = models_json_schema([(shape, "validation") for shape in shapes], ref_template=SCHEMAS + "{model}")
    schemas: Json = made["$defs"]
    for path, endpoint in DESCRIBED.items():
        schema = schemas[endpoint.body.__name__]
        schema["description"] = f"What is sent to {path}."
        if endpoint.others:
            _complete(schema, endpoint.others)
    shortened: Json = orjson.loads(QUALIFIED.sub(_short, orjson.dumps(schemas).decode()))
    return shortened


def _complete(schema: Json, others: Table) -> None:
    """Add what the shape does not read itself: null counts as absent there, and what neither knows is refused."""
    fields = {name: {"anyOf": [field.check.schema, {"type": "null"}]} for name, field in others.fields.items()}
    schema.update({"properties": fields | schema["properties"], "additionalProperties": False})


def _short(name: re.Match[str]) -> str:
    """`gateway__api__responses__input__TextPart` as `ResponsesInputTextPart`."""
    return "".join(part[:1].upper() + part[1:] for part in name[1].split("__"))
