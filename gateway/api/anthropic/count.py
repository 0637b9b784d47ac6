"""POST /v1/messages/count_tokens: how long a prompt is, before it is sent. It spends nothing and is not journalled.

The count is preflight's own, of what the same body would send: templates rendered, passages of a collection left out.
"""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.anthropic.reading import read_count
from gateway.api.headers import of_trace
from gateway.api.inference import called, understood
from gateway.runtime import Runtime


async def count_tokens(request: Request) -> Response:
    """The tokens of a prompt for the model that it names. Raises a Refusal."""
    runtime: Runtime = request.app.state.runtime
    trace, who, asked = await understood(request, read_count)
    prompt = await runtime.pipeline.build(called(request, trace, who, asked))
    with trace.stage("preflight"):
        count = await runtime.pipeline.preflight.count(prompt.model, prompt)
    ours = {
        "request_id": request.state.request_id,
        "model": prompt.model,
        "prompt": prompt.source,
        "tokens": {"input": count.tokens, "source": count.source},
    }
    body = orjson.dumps({"input_tokens": count.tokens, "gateway": ours})
    return Response(body, headers=of_trace(trace), media_type="application/json")
