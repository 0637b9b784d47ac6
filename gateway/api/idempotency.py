"""`Idempotency-Key`: who sends a request again under the same key has the answer that was paid for, and pays once.

The rules of draft-ietf-httpapi-idempotency-key-header and of Stripe (docs.stripe.com/api/idempotent_requests), for the
keys of each tenant:

    not seen before          answered to its end, though its client may leave meanwhile, and kept
    the same, finished       the kept status and body, byte for byte, with `idempotent-replayed: true`
    the same, still running  409, with the time to wait
    another request          422

Kept are answers, and failures that cost something; what cost nothing gives its key free. A replay spends nothing, so
the journal has no row of it: its line in the access log names the request it repeats. Kept is the answer as it was
sent, for REPLAY_S in the gateway's state, and of requests with this header only; of the request there is a digest.

Knows no stage and no wire format: it records what an answer sends. Invariants: a key is never left claimed by a request
that is over; an answer is kept before its last byte is sent, so that whoever has seen the end finds it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.endpoint import Shape
from gateway.api.headers import of_limits, of_trace
from gateway.api.recorder import Kept, Recorder
from gateway.api.reply import Answering
from gateway.errors import InvalidValue, Wire
from gateway.replays import PARAM, fingerprint, usable
from gateway.shielded import insisted, protected
from gateway.state import Replay, State, StateUnavailable
from gateway.state.owners import owner

# Stripe's length. The draft's quoted string (RFC 8941) is taken as it stands: both are opaque to us.
KEY = re.compile(r"[ -~]{1,255}")


async def once(request: Request, reply: Answering, shape: Shape, state: State, beside: Sequence[str] = ()) -> ASGIApp:
    """`reply`, made safe to repeat if the request has a key; failures are kept in this shape. Raises InvalidValue for a
    malformed key. `beside` are the ids of the calls that are answered with the reply's own."""
    key = _key(request.headers)
    if key is None:
        return reply
    call = reply.call
    digest = fingerprint(call.caller, request.method, request.scope["path"], orjson.loads(await request.body()))
    claim = Replay(call.caller.tenant, key, digest, call.request_id, owner(), call.at)
    return Once(reply, claim, shape, state, beside)


class Once:
    """Sends `reply` if `claim` is the first under its key, else what is kept there. Raises StillRunning, KeyReused."""

    def __init__(self, reply: Answering, claim: Replay, shape: Shape, state: State, beside: Sequence[str] = ()) -> None:
        self._requests = claim.request_id, *beside
        self._reply, self._claim, self._shape, self._state = reply, claim, shape, state
        self._ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._reply.call.trace.stage("claim"):
                found = await self._state.replays.begin(self._claim, self._state.alive)
            if found is None:
                await self._reply(scope, _stays, Recorder(send, self._keep, self._rendered).send)
        except BaseException as error:  # a panic of a Rust library is no Exception; a lost claim may have been made
            await self._failed(error)
            raise
        if found is not None:
            await self._repeat(found, scope, receive, send)

    async def _keep(self, status: int, content_type: str, body: bytes) -> None:
        self._ended = True
        answer = replace(self._claim, status=status, content_type=content_type, body=body)
        await self._written(lambda: self._state.replays.finish(answer))

    async def _failed(self, error: BaseException) -> None:
        """Keep a failure that cost something, as the edge will render it; else give the key free.

        A request that is cancelled (the gateway stops) has no answer: as if the process had died, a retry takes over.
        """
        if self._ended:
            return
        if not isinstance(error, asyncio.CancelledError) and await self._charged():
            await self._keep(*self._rendered(error))
        else:
            await self._written(lambda: self._state.replays.abandon(self._claim))

    async def _charged(self) -> bool:
        """Whether its answer had begun; or what was thrown away cost something, which only the journal knows."""
        if self._reply.begun:
            return True
        try:
            rows = [await self._state.journal.read(request) or {} for request in self._requests]
        except StateUnavailable:
            return False
        return any(row.get("input_tokens") or row.get("output_tokens") for row in rows)

    async def _written(self, write: Callable[[], Awaitable[None]]) -> None:
        await protected(insisted(write, f"what is kept of request {self._claim.request_id} under its Idempotency-Key"))

    def _rendered(self, error: BaseException) -> Kept:
        """A failure as the edge would send it."""
        wire = Wire.of(error, self._claim.request_id)
        return wire.status, "application/json", orjson.dumps(self._shape(wire, self._claim.request_id))

    async def _repeat(self, kept: Replay, scope: Scope, receive: Receive, send: Send) -> None:
        now = self._state.clock.now()
        usable(kept, self._claim, now)
        scope["state"]["replay_of"] = kept.request_id
        caller = self._reply.call.caller
        balances = await self._state.budgets.balances(
            caller.tenant, caller.key, caller.tenant_limits, caller.key_limits, now, caller.zone
        )
        headers = {"idempotent-replayed": "true"} | of_trace(self._reply.call.trace) | of_limits(balances, now)
        if kept.status != 200:
            headers["x-should-retry"] = "false"  # it would be the same again
        await Response(kept.body, kept.status, headers, kept.content_type)(scope, receive, send)


def _key(headers: Headers) -> str | None:
    match headers.getlist(PARAM):
        case []:
            return None
        case [key] if KEY.fullmatch(key):
            return key
    raise InvalidValue(
        "Send one Idempotency-Key of 1 to 255 printable ASCII characters, a UUID for example.", param=PARAM
    )


async def _stays() -> Message:
    """The `receive` of a client that never leaves."""
    return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return] # it has no result, ever
