"""Calls as the edge would make them, each of a tenant of its own, with its own budgets and cache partition."""

import itertools
import time
from collections.abc import Mapping
from typing import Any

from gateway.exchange import Call, Caller, Options, PromptRef
from gateway.state.limits import parse_limit
from gateway.tracing import Trace

LIMITS = ("tokens/day=1000000", "requests/day=1000", "usd/day=100")

_numbers = itertools.count()


def caller(tenant: str | None = None, limits: tuple[str, ...] = LIMITS) -> Caller:
    """A caller with these limits on its tenant, a new one unless named."""
    name = tenant or f"tenant-{next(_numbers)}"
    return Caller(f"{name}-key", name, tuple(map(parse_limit, limits)))


def call(
    text: str | None = "Hi",
    *,
    who: Caller | None = None,
    model: str | None = "small",
    prompt: PromptRef | None = None,
    messages: tuple[Mapping[str, Any], ...] | None = None,
    fields: Mapping[str, Any] | None = None,
    stream: bool = False,
    traceparent: str | None = None,
    at: float | None = None,
    **options: Any,
) -> Call:
    """A call as the edge makes it: `text` is the one user message unless `messages` or `prompt` are given."""
    said = () if text is None or prompt else ({"role": "user", "content": text},)
    return Call(
        request_id=f"request-{next(_numbers)}",
        caller=who or caller(),
        model=model,
        messages=messages if messages is not None else said,
        prompt=prompt,
        fields=fields or {},
        options=Options(**options),
        stream=stream,
        trace=Trace(traceparent),
        at=at or time.time(),
    )


def template(id: str, version: str | None = None, **variables: Any) -> dict[str, Any]:
    """The arguments of a call that uses a template."""
    return {"text": None, "model": None, "prompt": PromptRef(id, version, variables)}
