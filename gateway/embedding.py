"""The story of a request for embeddings, beside `pipeline.py`: no prompt is built and nothing is generated or cached.

Invariants: as of the pipeline: nothing is sent before the most it can cost is set aside, every call has its row, and
what comes back has been settled. Knows no HTTP, no SQL and no vendor.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.embedders import Embedded, Own, Served, Source
from gateway.errors import InvalidValue, NotAllowed
from gateway.exchange import Attempt, Call, Closed, Format, Packed, Plan, Prompt
from gateway.ledger import Ledger
from gateway.models import Model
from gateway.scopes import demand, named
from gateway.settings import Settings
from gateway.stages.build import available
from gateway.stages.guard import Guard
from serving.events import Completion, End, Start, Usage
from serving.tokens import Count


@dataclass(frozen=True, slots=True)
class Embedding:
    """Embeds the texts of calls. `secret` keys the tenants' cache salts."""

    ledger: Ledger
    models: Mapping[str, Model]
    own: Own
    settings: Settings
    secret: bytes
    guard: Guard

    async def run(self, call: Call) -> tuple[Embedded, Closed]:
        """Answer one call. Raises a Refusal, a BackendError or EmbedderUnavailable."""
        async with self.ledger.open(call) as entry:
            call = await self.guard.asked(call)
            source = self._source(call)
            prompt = entry.saw(_prompt(call, source))
            count = await source.count(call)
            plan = entry.saw(_plan(count, source))
            await entry.hold(plan.usage)  # set aside before it is spent
            entry.saw(Packed(prompt, count))  # once it is sent a client that leaves has had it read
            with call.trace.stage("embed") as stage:
                embedded = await source.embed(call, count)
                stage.facts = embedded.facts()
            entry.saw(Packed(prompt, embedded.used))
            usage = Usage(embedded.used.tokens)
            entry.observe(End((), usage))
            start = Start(f"embd-{call.request_id}", int(call.at), source.name)
            closed = await entry.finish(Completion(start, (), usage))
        return embedded, closed

    def _source(self, call: Call) -> Source:
        """Raises NotAllowed, NotFound, Unavailable, and InvalidValue where the model makes no embeddings."""
        scopes, name = call.caller.scopes, str(call.model)
        if scopes.prompts is not None:
            raise NotAllowed(
                f"This key must name a prompt, and embeddings have none; it may use {named(scopes.prompts)}.",
                param="input",
            )
        demand(scopes.models, name, "model", "model")
        if name == self.own.name and name not in self.settings.models:
            return self.own
        alias = available(name, self.settings, self.models)
        if not self.settings.embeds(alias):
            raise InvalidValue(f"The model {alias!r} makes no embeddings.", param="model")
        return Served(self.models[alias], self.settings.route.attempts, self.secret)


def _prompt(call: Call, source: Source) -> Prompt:
    return Prompt(
        model=source.name,
        messages=(),
        fields=call.fields,
        template=None,
        question=None,
        format=Format(),
        retrieve=None,
        on_stop={},
        mode="strict",
        cache="off",
    )


def _plan(count: Count, source: Source) -> Plan:
    """All texts, read once."""
    return Plan(count, 0, 0, source.window, (Attempt(count.tokens, 0),), (source.name,))
