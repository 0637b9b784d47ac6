"""POST /v1/embeddings: texts in, vectors out, as OpenAI has it. Knows no model and no socket.

openai-python asks for base64 unless told otherwise and decodes it as little-endian float32; so do we write it.

Request and answer: platform.openai.com/docs/api-reference/embeddings; `id` and `created` are vLLM's additions.
"""

import asyncio
from base64 import b64encode
from typing import Any, Literal

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.body import Picked, Strict, checked, parse
from gateway.api.connection import while_connected
from gateway.api.endpoint import Asked, Endpoint, openai
from gateway.api.headers import of_answer
from gateway.api.idempotency import once
from gateway.api.inference import called, understood
from gateway.api.messages import Name
from gateway.api.reply import Answering
from gateway.api.wire import Tags, passed_on
from gateway.errors import InvalidValue
from gateway.exchange import Call, Closed, Options
from gateway.runtime import Runtime
from gateway.settings import Server
from retrieval.embed import Vectors
from serving.fields import EMBEDDINGS

Encoding = Literal["float", "base64"]

MOST_INPUTS = 2048  # OpenAI's bound
_LANGCHAIN = " (langchain-openai: check_embedding_ctx_length=False)"  # which sends ids unless told not to
ROWS = 32  # vectors that are written at once: about a millisecond, in which nobody else is served


class GatewayBody(Strict):
    """The request's `gateway` object, as far as it means something here."""

    tags: Tags | None = None
    explain: bool | None = None


class EmbeddingBody(Picked):
    """The fields that the gateway reads itself (`serving.fields.EMBEDDINGS.handled`), but for the input."""

    model: Name
    encoding_format: Encoding | None = None
    gateway: GatewayBody | None = None


def read_embeddings(body: bytes, limits: Server) -> tuple[Asked, Encoding]:
    """Read the body of POST /v1/embeddings; vectors are wanted in the encoding. Raises InvalidValue; `param` names the
    field."""
    raw = parse(body, limits.max_depth)
    wanted = checked(EmbeddingBody, raw)
    fields = passed_on(raw, EMBEDDINGS)
    ours = wanted.gateway or GatewayBody()
    options = Options(tags=ours.tags or {}, explain=ours.explain or False)
    asked = Asked(wanted.model, fields, options, inputs=_inputs(raw.get("input")))
    return asked, wanted.encoding_format or "float"


def _inputs(value: Any) -> tuple[str, ...]:
    """One text or several."""
    texts = [value] if isinstance(value, str) else value
    match texts:
        case [int() | list(), *_]:
            fault = f"input has token ids; the gateway speaks text, so send the text{_LANGCHAIN}."
        case [str(), *_] if len(texts) > MOST_INPUTS:
            fault = f"input has {len(texts)} texts; at most {MOST_INPUTS} are taken at once."
        case [str(), *_] if all(isinstance(text, str) and text for text in texts):
            return tuple(texts)
        case _:
            fault = "input must be a string or a list of strings, none of them empty."
    raise InvalidValue(fault, param="input")


async def embeddings(request: Request) -> ASGIApp:
    """The answer to one request."""
    runtime: Runtime = request.app.state.runtime
    trace, who, (asked, encoding) = await understood(request, read_embeddings)
    reply = EmbeddingReply(called(request, trace, who, asked), encoding, runtime)
    return await once(request, reply, openai, runtime.state)


EMBEDDING = Endpoint(embeddings)


class EmbeddingReply(Answering):
    """Embeds and sends the vectors; a client that leaves stops the work."""

    def __init__(self, call: Call, encoding: Encoding, runtime: Runtime) -> None:
        super().__init__(call)
        self._encoding, self._runtime = encoding, runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        embedded, closed = await while_connected(receive, self._runtime.embedding.run(self.call))
        self.begun = True
        body = orjson.dumps(_answer(closed, await _written(embedded.vectors, self._encoding)), default=dict)
        headers = of_answer(self.call, None, closed.balances, closed.cost_usd, self._runtime.state.clock.now())
        await Response(body, headers=headers, media_type="application/json")(scope, receive, send)


def _answer(closed: Closed, data: bytes) -> dict[str, Any]:
    start, usage = closed.completion.start, closed.usage
    return {
        "object": "list",
        "id": start.id,
        "created": start.created,
        "model": start.model,
        "data": orjson.Fragment(data),
        "usage": {"prompt_tokens": usage.input_tokens, "total_tokens": usage.total_tokens},
        "gateway": closed.gateway,
    }


async def _written(vectors: Vectors, encoding: Encoding) -> bytes:
    """The list of vectors as JSON, some at a time: thousands of them take a tenth of a second."""
    parts = []
    for begin in range(0, len(vectors), ROWS):
        rows = enumerate(vectors[begin : begin + ROWS], begin)
        entries = [{"object": "embedding", "index": i, "embedding": _encoded(row, encoding)} for i, row in rows]
        parts.append(orjson.dumps(entries, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1])
        await asyncio.sleep(0)
    return b"[" + b",".join(parts) + b"]"


def _encoded(row: Vectors, encoding: Encoding) -> Any:
    return row if encoding == "float" else b64encode(row.astype("<f4").tobytes()).decode()
