"""What the stages found about one call, typed, and what is told of it: to the client, to the journal. Decides nothing.

Invariant: a stage that did not run has left nothing here, and whatever is told says so with None.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson

from gateway.exchange import Call, Hit, Looked, Miss, Packed, Plan, Prompt, Verdict
from gateway.exchange.guarding import summed
from gateway.prices import Prices
from gateway.quality.words import Word, words
from gateway.record import Record
from gateway.tracing import Stage
from serving.events import Completion, Usage
from serving.tokens import Count

V = TypeVar("V", Prompt, Plan, Packed, Verdict, Hit | Miss)


class Findings:
    """The values of one call's stages, as they come."""

    def __init__(self, call: Call, prices: Prices) -> None:
        self._call, self._prices = call, prices
        self.prompt: Prompt | None = None
        self.plan: Plan | None = None
        self.found: Hit | Miss | None = None
        self.packed: Packed | None = None
        self.verdict: Verdict | None = None

    def add(self, value: V) -> V:
        """Keep a stage's value; returns it."""
        match value:
            case Prompt():
                self.prompt = value
            case Plan():
                self.plan = value
            case Hit() | Miss():
                self.found = value
            case Packed():
                self.packed = value
            case Verdict():
                self.verdict = value
        return value

    @property
    def hit(self) -> Hit | None:
        return self.found if isinstance(self.found, Hit) else None

    @property
    def model(self) -> str | None:
        """The alias that answered, a fallback or another request's included; until one has, the alias asked."""
        along = self.hit.model if self.hit else None
        return self._routed("model") or along or (self.prompt.model if self.prompt else None)

    @property
    def answered(self) -> bool:
        """Whether a backend has begun to answer."""
        return self._routed("served") is not None

    @property
    def generations(self) -> list[Stage]:
        """Those that are over, the ones that were cut too."""
        return [stage for stage in self._call.trace.stages if stage.name == "generate"]

    def cost(self, usage: Usage) -> int | None:
        """Nano-dollars; None before the model is known, and where a model without a price had a part in it.

        `usage` is that of all generations together: each is priced as its own alias, which a fallback changes between
        one and the next; what none has noted yet is used by the one at work.
        """
        model = self.model
        if model is None:
            return None
        generations = [(str(made.facts["model"]), _used(made)) for made in self.generations]
        if generations in ([], [(model, usage)]):  # which is nearly always so
            return self._prices.cost(model, usage)
        left, costs = usage, list[int | None]()
        for alias, used in generations:
            part = used.within(left)
            left -= part
            costs.append(self._prices.cost(alias, part))
        costs.append(self._prices.cost(model, left))
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    def ceiling_cost(self) -> int | None:
        """Nano-dollars of the plan, by the dearest alias that may answer; None when one of them has no price."""
        costs = [self._prices.cost(alias, self.plan.usage) for alias in self.plan.models] if self.plan else []
        return None if None in costs else max((cost for cost in costs if cost is not None), default=None)

    def gateway(self, completion: Completion) -> dict[str, Any]:
        """The `gateway` object of the answer (contract: HTTP), but for the cost and the timings, which come last."""
        if not (self.prompt and self.plan):
            raise ValueError("an answer is told of only when it was planned")
        usage, counted = completion.usage or Usage(), self.packed.input if self.packed else None
        body = {
            "request_id": self._call.request_id,
            "model": self.model,
            "backend": self._routed("backend"),
            "prompt": self.prompt.source,
            "tokens": {
                "input": counted.tokens if counted and len(self.generations) == 1 else usage.input_tokens,
                "output": usage.output_tokens,
                "cached": usage.cached_tokens,
                "source": self._source(counted or self.plan.input),
            },
        } | self._judged(completion)
        if cut := (self.packed.prompt if self.packed else self.prompt).cut:
            body["truncated"] = cut.told()
        if self.prompt.retrieve:  # of a hit only what was searched is known, not what was found
            body["retrieve"] = (self.packed and self.packed.retrieved()) or self.prompt.retrieve.facts()
        return body | ({"explain": self._call.trace.tree()} if self._call.options.explain else {})

    def record(
        self,
        status: int,
        error: str | None,
        spent: Usage,
        cost: int | None,
        first_ms: float | None,
        gateway: Mapping[str, Any],
        difference: int | None,
    ) -> Record:
        """Everything that is remembered; `difference` is our count less the engine's, None where that means nothing."""
        counted = self.packed.input if self.packed else None
        return Record(
            **self.draft(),
            backend=self._routed("backend"),
            status=status,
            error=error,
            stop=self.verdict.stop if self.verdict else None,
            cause=self.verdict.cause if self.verdict else None,
            fingerprint=self._engine(),
            checks=self._checks(status, error),
            looked=self._looked(),
            side=self.prompt.side if self.prompt else None,
            spent=spent,
            source=self._source(counted) if counted else None,
            cost_nano=cost,
            duration_ms=self._call.trace.elapsed_ms(),
            ttft_ms=first_ms,
            timings_ms=self._call.trace.timings_ms(),
            stages=self._call.trace.tree(),
            gateway=gateway,
            difference=difference,
            operation=self._call.operation,
        )

    def draft(self) -> dict[str, Any]:
        """The journal's columns that are known before anything is spent, under the names that `Record` shares."""
        call, source = self._call, (self.prompt.source if self.prompt else None) or {}
        return {
            "request_id": call.request_id,
            "at": call.at,
            "tenant": call.caller.tenant,
            "key": call.caller.key,
            "model": self.model,
            "prompt": source.get("id"),
            "prompt_version": source.get("version"),
            "prompt_digest": source.get("digest"),
            "tags": orjson.dumps(call.options.tags, option=orjson.OPT_SORT_KEYS).decode()
            if call.options.tags
            else None,
            "cache": self.hit.kind if self.hit else "miss" if self.found else None,
        }

    def spent(self, usage: Usage) -> dict[str, Any]:
        """The journal's columns that say what has been used so far, and where."""
        return {
            "model": self.model,
            "backend": self._routed("backend"),
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_tokens": usage.cached_tokens,
            "cost_nano": self.cost(usage),
        }

    def _judged(self, completion: Completion) -> dict[str, Any]:
        """What there is to tell only of what was generated."""
        if not (self.found and self.verdict):
            return {}
        return {
            "cache": _public(self.found.facts()),
            "citations": list(self.verdict.citations),
            "stop": {
                "verdict": self.verdict.stop,
                "cause": self.verdict.cause,
                "finish_reasons": [c.finish_reason for c in completion.choices],
                "remedies": list(self.verdict.remedies),
            },
            "checks": {
                "schema": self.verdict.schema,
                "unenforced": list(self.prompt.unenforced) if self.prompt else [],
                "flags": list(self.verdict.flags),
                "unknown_citations": list(self.verdict.unknown_citations),
                "unsupported": [list(span) for span in self.verdict.unsupported],
                "guards": [one.told() for one in self._looked()],
            },
        }

    def _checks(self, status: int, error: str | None) -> tuple[Word, ...] | None:
        """What was found of what a model was asked; None of what is no answer of now."""
        if self.hit or self._call.operation == "embeddings":
            return None
        asked = any(stage.name == "route" for stage in self._call.trace.stages)
        return words(self.verdict, status, error, self._looked(), asked)

    def _engine(self) -> str | None:
        """The fingerprint of the engine that generated last, whether the answer came to its end or not."""
        made = self.generations
        return made[-1].facts.get("fingerprint") if made else None

    def _looked(self) -> tuple[Looked, ...]:
        """What the guards made of all texts of the call, a refused one's too."""
        stages = (stage for stage in self._call.trace.stages if stage.name == "guard")
        return summed(look for stage in stages for look in stage.facts.get("guards", ()))

    def _source(self, count: Count) -> str:
        """`exact` where our count is the model's own and the engine told what it used, each time."""
        told = all(made.facts["usage"] != "counted" for made in self.generations)
        return count.source if told else "estimate"

    def _routed(self, fact: str) -> str | None:
        """Who answered, as the route noted it."""
        stage = self._call.trace.last("route")
        return stage.facts.get(fact) if stage else None


def _used(generation: Stage) -> Usage:
    facts = generation.facts
    return Usage(facts["input_tokens"], facts["output_tokens"], facts["cached_tokens"])


def _public(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What of a look into the cache is told to clients: features stay in the journal, for feedback to teach with."""
    return {key: _public(value) if key == "instead" else value for key, value in facts.items() if key != "features"}
