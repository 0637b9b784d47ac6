"""Every kind of answer as OpenAI's package types it: strictly, and naming each field that its types do not have."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from typing import Any

from openai.types import Completion, CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.shared import ErrorObject
from pydantic import BaseModel, TypeAdapter

from tests.conformance.clients.report import BASE_URL, KEY, ask, declare, report
from tests.conformance.clients.weather import FUNCTION, TOOL

CHATS: dict[str, dict[str, Any]] = {
    "hello": {},
    "hard": {},
    "cut": {},
    "two": {"n": 2},
    "tool": {"tools": [TOOL]},
    "tools": {"tools": [TOOL]},
    "reason": {},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
}
ENGINE = {"model": "tiny", "max_tokens": 4, "logprobs": True, "top_logprobs": 2, "n": 2, "temperature": 1, "seed": 1}


def fetch(path: str, body: Any = None) -> str:
    """What a POST of `body` is answered with, or without one a GET."""
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(BASE_URL + path, data, headers), timeout=120) as answer:
            return str(answer.read(), "utf-8")
    except urllib.error.HTTPError as error:
        return str(error.read(), "utf-8")


def payloads(stream: str) -> list[str]:
    """The data of each event. Raises AssertionError where a stream has more than these and comments, or no end."""
    *blocks, end = stream.split("\n\n")
    assert not end
    events = [block for block in blocks if not block.startswith(":")]
    data = [event.removeprefix("data: ") for event in events]
    assert all(event.startswith("data: ") for event in events), events
    assert data.pop() == "[DONE]"
    return data


def strict(kind: type[BaseModel], *texts: str) -> list[str]:
    """Where `texts` have fields that the type does not know. Raises ValidationError where they do not fit it."""
    return sorted({path for text in texts for path in unknown(kind.model_validate_json(text, strict=True))})


def unknown(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from unknown(one, path)
    if isinstance(value, BaseModel):
        yield from (f"{path}{name}" for name in value.model_extra or ())
        for name in type(value).model_fields:
            yield from unknown(getattr(value, name), f"{path}{name}.")


def chat(script: str, **fields: Any) -> dict[str, Any]:
    return {"model": "small", "messages": ask(script), **fields}


def buffered(body: dict[str, Any]) -> list[str]:
    return strict(ChatCompletion, fetch("/chat/completions", body))


def streamed(body: dict[str, Any]) -> list[str]:
    return strict(ChatCompletionChunk, *payloads(fetch("/chat/completions", {**body, "stream": True})))


def with_usage(body: dict[str, Any]) -> list[str]:
    return streamed({**body, "stream_options": {"include_usage": True}})


RESPONSES: dict[str, dict[str, Any]] = {
    "hello": {},
    "cut": {},
    "tools": {"tools": [{"type": "function", "strict": False, **FUNCTION}]},
    "reason": {},
    "logprobs": {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
}
COMPLETION = {"model": "tiny", "prompt": "Once", "max_tokens": 4, "logprobs": 2}
EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)


def response(body: dict[str, Any]) -> list[str]:
    return strict(Response, fetch("/responses", body))


def response_streamed(body: dict[str, Any]) -> list[str]:
    """The event's name is its type, and nothing comes after the last."""
    *blocks, end = fetch("/responses", {**body, "stream": True}).split("\n\n")
    assert not end
    found: set[str] = set()
    for name, data in (block.split("\n") for block in blocks):
        event = EVENT.validate_json(data.removeprefix("data: "), strict=True)
        assert name == f"event: {event.type}"
        found.update(unknown(event))
    return sorted(found)


def completion(body: dict[str, Any]) -> list[str]:
    return strict(Completion, fetch("/completions", body))


def completion_streamed(body: dict[str, Any]) -> list[str]:
    """Before the last chunk the finish reason is null, with OpenAI as well; its type has no place for that."""
    chunks = [json.loads(data) for data in payloads(fetch("/completions", {**body, "stream": True}))]
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        choice["finish_reason"] = choice["finish_reason"] or "stop"
    return strict(Completion, *map(json.dumps, chunks))


def embeddings() -> list[str]:
    return strict(CreateEmbeddingResponse, fetch("/embeddings", {"model": "vectors", "input": ["a", "b"]}))


def model() -> list[str]:
    return strict(Model, fetch("/models/small"))


def models() -> list[str]:
    listed = json.loads(fetch("/models"))
    assert listed["object"] == "list"
    return strict(Model, *map(json.dumps, listed["data"]))


def error(body: dict[str, Any]) -> list[str]:
    said = json.loads(fetch("/chat/completions", body))
    assert list(said) == ["error"]
    return strict(ErrorObject, json.dumps(said["error"]))


for read in (buffered, streamed, with_usage):
    for script, fields in CHATS.items():
        declare(f"{read.__name__}-{script}", partial(read, chat(script, **fields)))
    declare(f"{read.__name__}-engine", partial(read, chat("Count", **ENGINE)))
for script, fields in RESPONSES.items():
    asked = {"model": "small", "input": ask(script), **fields}
    declare(f"response-{script}", partial(response, asked))
    declare(f"response_streamed-{script}", partial(response_streamed, asked))
declare("completion", partial(completion, COMPLETION))
declare("completion_streamed", partial(completion_streamed, COMPLETION))
declare("embeddings", embeddings)
declare("model", model)
declare("models", models)
declare("error-unknown", partial(error, chat("hello", model="absent")))
declare("error-down", partial(error, chat("down")))
declare("error-refused", partial(error, chat("refused", stream=True)))


if __name__ == "__main__":
    report()
