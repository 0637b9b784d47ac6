"""POST /v1/chat/completions: who asks, what is asked, and on to the pipeline. Knows no stage and no wire format."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.api.auth import caller
from gateway.api.idempotency import once
from gateway.api.reply import Reply
from gateway.api.wire import read_chat
from gateway.exchange import Call
from gateway.scopes import stamped
from gateway.tracing import Trace

router = APIRouter()


@router.post("/v1/chat/completions")
async def chat(request: Request) -> Response:
    """One completion, streamed or whole. Refusals leave as exceptions; the middleware renders them."""
    runtime = request.app.state.runtime
    trace = Trace(request.headers.get("traceparent"))
    with trace.stage("auth"):
        await caller(request)
    with trace.stage("read"):
        asked = read_chat(await request.body(), runtime.settings.server)
    who = await caller(request)  # again: a body may take half a minute, and the key may have been revoked meanwhile
    call = Call(
        request_id=request.state.request_id,
        caller=who,
        model=asked.model,
        messages=asked.messages,
        prompt=asked.prompt,
        fields=asked.fields,
        options=stamped(asked.options, who.scopes.tags),
        stream=asked.stream,
        trace=trace,
        at=runtime.state.clock.now(),
    )
    reply = Reply(call, runtime.pipeline.run(call), asked.include_usage, runtime.state.clock.now)
    return await once(request, reply, runtime.state)
