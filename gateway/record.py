"""What is remembered of one request: one value that feeds the journal, the span, the metrics and the answer alike.

`row()` is the journal's row, `attributes()` the span's. It holds no prompt text, no answer text and no key secret.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

import orjson

from gateway.exchange import Looked, Operation
from gateway.exchange.side import Side
from gateway.prices import usd
from gateway.quality.words import Word
from gateway.stopping import Cause
from serving.events import Usage
from serving.frozen import dataclass

# How the id of an answer begins, as OpenAI's and vLLM's do.
IDS: Mapping[Operation, str] = {"chat": "chatcmpl", "text_completion": "cmpl", "embeddings": "embd"}


@dataclass(frozen=True, slots=True)
class Record:
    """A finished request. Tokens are those billed; `difference` is preflight's count of the input less the engine's.

    `tags` is JSON text or None, as in the journal; `cost_nano` is None without a price; times in milliseconds; `status`
    as the client saw it (499: it left). `fingerprint`: of the engine that answered last; `checks` None: nothing to
    judge; `looked`: what the guards made of the request; `side`: of a canary, None where no version is tried.
    """

    request_id: str
    at: float
    tenant: str
    key: str
    model: str | None
    backend: str | None
    prompt: str | None
    prompt_version: str | None
    prompt_digest: str | None
    tags: str | None
    status: int
    error: str | None
    stop: str | None
    cache: str | None
    spent: Usage
    source: str | None
    cost_nano: int | None
    duration_ms: float
    ttft_ms: float | None
    timings_ms: Mapping[str, float]
    stages: list[dict[str, Any]]
    gateway: Mapping[str, Any] = field(default_factory=dict)
    difference: int | None = None
    cause: Cause | None = None
    fingerprint: str | None = None
    checks: tuple[Word, ...] | None = None
    looked: tuple[Looked, ...] = ()
    side: Side | None = None
    operation: Operation = "chat"

    def spent_by_type(self) -> dict[str, int]:
        """Billed tokens by the conventions' token types."""
        return {
            "input": self.spent.input_tokens,
            "output": self.spent.output_tokens,
            "cache_read": self.spent.cached_tokens,
        }

    def row(self) -> dict[str, Any]:
        """The journal's columns (`gateway.state.COLUMNS`)."""
        return {
            "request_id": self.request_id,
            "at": self.at,
            "tenant": self.tenant,
            "key": self.key,
            "model": self.model,
            "backend": self.backend,
            "prompt": self.prompt,
            "prompt_version": self.prompt_version,
            "prompt_digest": self.prompt_digest,
            "tags": self.tags,
            "status": self.status,
            "error": self.error,
            "stop": self.stop,
            "cache": self.cache,
            "input_tokens": self.spent.input_tokens,
            "output_tokens": self.spent.output_tokens,
            "cached_tokens": self.spent.cached_tokens,
            "token_source": self.source,
            "cost_nano": self.cost_nano,
            "duration_ms": round(self.duration_ms, 3),
            "ttft_ms": None if self.ttft_ms is None else round(self.ttft_ms, 3),
            "cause": self.cause,
            "fingerprint": self.fingerprint,
            "checks": None if self.checks is None else " ".join(self.checks),
            "detail": orjson.dumps({"stages": self.stages, "gateway": self.gateway}, default=dict).decode(),
        }

    def attributes(self) -> dict[str, Any]:
        """The span's attributes, by OpenTelemetry's GenAI conventions (v1.41) where they have a name."""
        values = {
            "gen_ai.operation.name": self.operation,
            "gen_ai.provider.name": "vllm",
            "gen_ai.request.model": self.model,
            "gen_ai.response.id": f"{IDS[self.operation]}-{self.request_id}",
            "gen_ai.response.finish_reasons": list(self.gateway.get("stop", {}).get("finish_reasons", ())) or None,
            "gen_ai.usage.input_tokens": self.spent.input_tokens,
            "gen_ai.usage.output_tokens": self.spent.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": self.spent.cached_tokens,
            "gen_ai.usage.cost": usd(self.cost_nano),
            "gen_ai.response.time_to_first_chunk": None if self.ttft_ms is None else self.ttft_ms / 1e3,
            "gen_ai.prompt.name": self.prompt,
            "gen_ai.prompt.version": self.prompt_version,
            "error.type": self.error,
            "http.response.status_code": self.status,
            "tollgate.tenant": self.tenant,
            "tollgate.key": self.key,
            "tollgate.backend": self.backend,
            "tollgate.cache": self.cache,
            "tollgate.stop": self.stop,
            "tollgate.cause": self.cause,
            "tollgate.checks": self.checks,
            "openai.response.system_fingerprint": self.fingerprint,
            "tollgate.prompt_digest": self.prompt_digest,
            "tollgate.token_source": self.source,
            "tollgate.preflight_difference": self.difference,
        }
        return {name: value for name, value in values.items() if value is not None}
