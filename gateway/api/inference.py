"""The inference endpoints, past the framework: FastAPI's routing costs more than all that we do to a request.

A pure ASGI layer that answers a POST to a path it knows and passes other paths on. `generation` is what the
endpoints that ask a model for an answer have in common: who asks, what is asked, and on to the pipeline. Knows no stage
and no wire format.

Invariant: a caller is authenticated before its body is read, and again after it if that took any time.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.auth import caller, refuse_method
from gateway.api.endpoint import Asked, Endpoint, Read, Shape, openai
from gateway.api.idempotency import once
from gateway.api.reply import Reply
from gateway.exchange import Call, Caller
from gateway.runtime import Runtime
from gateway.scopes import stamped
from gateway.settings import Server
from gateway.together import each, together
from gateway.tracing import Trace

T = TypeVar("T")

SESSION = "x-session-id"  # a conversation's name, where its app sends one
AGAIN_MS = 100.0  # with the half second that a key is remembered a revocation still binds within a second


class Inference:
    """Answers what is under `endpoints` (by path) itself."""

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, Endpoint]) -> None:
        self._app, self._endpoints = app, endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        if scope["method"] != "POST":
            await refuse_method(request, "POST")
        response = await endpoint.handle(request)
        await response(scope, receive, send)


def generation(read: Read, refusal: Shape = openai) -> Endpoint:
    """The endpoint of an API whose bodies `read` understands."""

    async def handle(request: Request) -> ASGIApp:
        runtime: Runtime = request.app.state.runtime
        trace, who, wanted = await understood(request, read)
        call = called(request, trace, who, wanted.asked)
        calls = each(call, wanted.more)
        answers = together(runtime.pipeline, calls) if wanted.more else runtime.pipeline.run(call)
        reply = Reply(call, answers, wanted.writer(call), runtime.state.clock.now)
        return await once(request, reply, refusal, runtime.state, [one.request_id for one in calls[1:]])

    return Endpoint(handle, refusal)


async def understood(request: Request, read: Callable[[bytes, Server], T]) -> tuple[Trace, Caller, T]:
    """Who asks, and what, as `read` has it. Refusals leave as exceptions."""
    trace = Trace(request.headers.get("traceparent"))
    with trace.stage("auth"):
        who = await caller(request)
    with trace.stage("read"):
        asked = read(await request.body(), request.app.state.runtime.settings.server)
    if trace.elapsed_ms() > AGAIN_MS:  # a body may take half a minute, and the key may have been revoked meanwhile
        who = await caller(request)
    return trace, who, asked


def called(request: Request, trace: Trace, who: Caller, asked: Asked) -> Call:
    """What was asked, as a call of its caller."""
    return Call(
        request_id=request.state.request_id,
        caller=who,
        model=asked.model,
        messages=asked.messages,
        prompt=asked.prompt,
        fields=asked.fields,
        options=stamped(asked.options, who.scopes.tags),
        stream=asked.stream,
        trace=trace,
        at=request.app.state.runtime.state.clock.now(),
        text=asked.text,
        inputs=asked.inputs,
        conversation=request.headers.get(SESSION) or asked.conversation,
    )
