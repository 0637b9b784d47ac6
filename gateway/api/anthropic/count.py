"""POST /v1/messages/count_tokens: how long a prompt is, before it is sent. It spends nothing and is not journalled.

The count is preflight's own, of what the same body would send: templates rendered, passages of a collection left out.

Counts are free, but only so many a minute, and apart from messages: who counts before each message still sends as many
(docs.anthropic.com/en/docs/build-with-claude/token-counting, "Token counting and message creation have separate and
independent rate limits"). So the caller's requests/minute bind them, on counters of their own.
"""

from collections.abc import Sequence
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.anthropic.reading import read_count
from gateway.api.headers import of_limits, of_trace
from gateway.api.inference import called, understood
from gateway.exchange import Call
from gateway.ledger import Ledger
from gateway.limits import refusal
from gateway.runtime import Runtime
from gateway.shielded import insisted, protected
from gateway.state import Amounts, Balance, Hold, Limit, OverLimit

APART = " count_tokens"  # behind the name of a tenant or a key, in which no space is valid


async def count_tokens(request: Request) -> Response:
    """The tokens of a prompt for the model that it names. Raises a Refusal."""
    runtime: Runtime = request.app.state.runtime
    trace, who, asked = await understood(request, read_count)
    call = called(request, trace, who, asked)
    balances = await _admitted(runtime.pipeline.ledger, call)
    prompt = await runtime.pipeline.build(call)
    with trace.stage("preflight"):
        count = await runtime.pipeline.preflight.count(prompt.model, prompt)
    ours = {
        "request_id": request.state.request_id,
        "model": prompt.model,
        "prompt": prompt.source,
        "tokens": {"input": count.tokens, "source": count.source},
    }
    body = orjson.dumps({"input_tokens": count.tokens, "gateway": ours})
    headers = of_trace(trace) | of_limits(balances, call.at)
    return Response(body, headers=headers, media_type="application/json")


async def _admitted(ledger: Ledger, call: Call) -> Sequence[Balance]:
    """Count this count; returns what is left of the limits that bind it. Raises RateLimited."""
    caller = call.caller
    bounds = _per_minute(caller.tenant_limits), _per_minute(caller.key_limits)
    if not any(bounds):
        return ()
    amounts: Amounts = {"requests": 1}
    hold = Hold(
        call.request_id, caller.tenant + APART, caller.key + APART, ledger.owner, amounts, *bounds, call.at, caller.zone
    )
    try:
        return await ledger.budgets.hold(hold)
    except OverLimit as over:
        raise refusal(over, call.at, caller.zone) from over
    finally:  # a cancelled or unanswered hold may have been made
        settled = partial(ledger.budgets.settle, hold.request_id, amounts)
        await protected(insisted(settled, f"the count {hold.request_id}"))


def _per_minute(limits: Sequence[Limit]) -> tuple[Limit, ...]:
    return tuple(limit for limit in limits if (limit.unit, limit.window) == ("requests", "minute"))
