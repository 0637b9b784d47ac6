"""Route: which backend answers, and who is asked next when it does not. Knows no budget and no cache.

An alias's own replicas come first, least busy first; then those of its fallback aliases. Another one is asked until the
first event arrives, never after: what the client has seen cannot be taken back. A request that a backend refuses as
wrong is refused; another backend would say the same. That no connection to a backend is free is no failure of it.

Invariant: whatever ends the generator closes the backend's stream, so that the engine stops working for nobody.
"""

import hashlib
import hmac
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import lru_cache
from typing import Any, Self

from gateway.answering.begun import Begun, onward, shown
from gateway.errors import Unavailable
from gateway.exchange import Call, Packed
from gateway.models import Model
from gateway.scopes import permits
from gateway.stages.preflight import request
from gateway.tally import Tally
from gateway.tracing import Stage
from serving.backend import CHATS, COMPLETIONS, Backend
from serving.errors import BackendBroken, BackendBusy, BackendError, BackendRejected
from serving.events import End, Event

SALTS = 4096  # kept: of tenants at work at one time


class Route:
    """Sends prompts to backends. `attempts` bounds how many are asked; `secret` keys the tenants' cache salts."""

    def __init__(self, models: Mapping[str, Model], attempts: int, secret: bytes) -> None:
        self._models, self._attempts, self._secret = models, attempts, secret

    async def __call__(
        self, call: Call, packed: Packed, output: int, begun: Begun | None = None
    ) -> AsyncGenerator[Event, None]:
        """One generation of `output` tokens at most per choice; `begun` is what of the answer is there already.

        With `begun`, even an empty one, the engine is asked for the ids of its tokens, to be gone on with. Raises the
        last BackendError when nobody answers, or the one that broke a started stream.
        """
        failure: BackendError | None = None
        for model, backend in self._candidates(call, packed, output, begun):
            began = time.perf_counter_ns()
            body = self._body(call, packed, model, output, begun)
            path = COMPLETIONS if "prompt" in body else CHATS
            stream = backend.stream(body, self._headers(call), path, call.trace.on_sent)
            with model.pool.using(backend):
                async with aclosing(stream):
                    try:
                        first = await anext(stream)
                    except BackendError as error:
                        stage = call.trace.note("route", began, backend=backend.name, model=model.alias)
                        stage.error = type(error).__name__
                        if isinstance(error, BackendRejected):
                            if begun and begun.text:
                                raise _refused(error) from error
                            raise
                        if not isinstance(error, BackendBusy):
                            model.pool.failed(backend)
                        failure = error
                        continue
                    call.trace.note("route", began, backend=backend.name, model=model.alias, served=model.served)
                    yield first
                    with Generation(call, packed, model, backend, output, begun) as generation:
                        async for event in stream:
                            yield generation.told(event)
                    return
        raise failure or Unavailable(f"The model {packed.prompt.model!r} has no backend.")

    async def shown(self, begun: Begun) -> Begun:
        """Without the tokens whose text the engine still holds back; without any where it does not say which."""
        model = self._models[begun.alias]
        backend = min(model.pool.backends, key=lambda one: one.name != begun.backend)
        try:
            ids = await shown(backend, model.served, begun.ids)
        except BackendError:
            ids = ()
        return replace(begun, ids=ids, tokens=begun.tokens - (len(begun.ids) - len(ids) if ids else 0))

    def _candidates(
        self, call: Call, packed: Packed, output: int, begun: Begun | None
    ) -> Iterator[tuple[Model, Backend]]:
        """The alias's replicas, then those of the fallbacks that the key may use and whose window takes the request.

        An answer is gone on with by the alias that began it, if it can by the replica that has its tokens cached.
        """
        if begun and begun.alias:
            pool = self._models[begun.alias].pool
            replicas = sorted(pool.order(), key=lambda one: (pool.ejected(one), one.name != begun.backend))
            yield from ((self._models[begun.alias], replica) for replica in replicas[: self._attempts])
            return
        first = self._models[packed.prompt.model]
        allowed = [name for name in first.fallback if permits(call.caller.scopes.models, name)]
        others = [self._models[name] for name in allowed if name in self._models]
        chain = [first, *[m for m in others if packed.input.tokens + output <= m.window]]
        candidates = [(model, backend) for model in chain for backend in model.pool.order()]
        candidates.sort(key=lambda candidate: candidate[0].pool.ejected(candidate[1]))  # stable: else as they were
        yield from candidates[: self._attempts]

    def _body(self, call: Call, packed: Packed, model: Model, output: int, begun: Begun | None) -> dict[str, Any]:
        """The request as this model's engine takes it: checked fields, our ceiling, and the tenant's own cache salt."""
        fields = {k: v for k, v in packed.prompt.fields.items() if k not in ("max_tokens", "max_completion_tokens")}
        ceiling = "max_completion_tokens" if packed.prompt.text is None else "max_tokens"
        body = fields | request(packed.prompt) | {"model": model.served, ceiling: output}
        body["cache_salt"] = cache_salt(self._secret, call.caller.tenant)
        if begun and begun.text:
            body = onward(body, begun, output)
        return body | ({"return_token_ids": True} if begun else {})

    def _headers(self, call: Call) -> dict[str, str]:
        return {"x-request-id": call.request_id, "traceparent": call.trace.traceparent}


class Generation:
    """What follows the first event, timed as `generate`; the pool is told how it ended.

    Usage that is absent or impossible is counted here.
    """

    __slots__ = ("_backend", "_began", "_ended", "_model", "_tally", "_trace")

    def __init__(
        self, call: Call, packed: Packed, model: Model, backend: Backend, output: int, begun: Begun | None
    ) -> None:
        self._trace, self._model, self._backend = call.trace, model, backend
        self._began, self._ended = time.perf_counter_ns(), False
        most = output * int(packed.prompt.fields.get("n") or 1)
        read = packed.input.tokens + (begun.tokens if begun else 0)
        self._tally = Tally(model.tokens, model.window, read, most)

    def __enter__(self) -> Self:
        return self

    def told(self, event: Event) -> Event:
        """The event with a usage that can be believed."""
        event = self._tally.told(event)
        if isinstance(event, End):
            self._ended = True
            self._model.pool.succeeded(self._backend)
            self._note(_rounded(event.metrics or {}))
        return event

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, BackendError):
            self._model.pool.failed(self._backend)
        if not self._ended:  # the backend broke, or nobody wants the rest: what it has used is paid
            self._note({}).error = "cut"

    def _note(self, metrics: Mapping[str, Any]) -> Stage:
        facts = {**self._tally.facts(), **metrics, **self._engine()}
        return self._trace.note("generate", self._began, model=self._model.alias, **facts)

    def _engine(self) -> dict[str, str]:
        """Which engine this is; of one that was cut, as it was called before: it says so with its last chunk."""
        named = self._backend.fingerprint
        return {"fingerprint": named} if named else {}


def _refused(error: BackendRejected) -> BackendBroken:
    """What goes on with an answer is the gateway's request: that it is wrong is no fault of the client's."""
    return BackendBroken(error.backend, f"it refused to go on with the answer ({error.status})")


@lru_cache(SALTS)
def cache_salt(secret: bytes, tenant: str) -> str:
    """Keeps the engine's prefix cache per tenant: timing would tell what others asked (CVE-2025-46570).

    Hex, because vLLM refuses base64's slash.
    """
    return hmac.new(secret, tenant.encode(), hashlib.sha256).hexdigest()


def _rounded(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The engine's own timings, to the microsecond."""
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in metrics.items()}
