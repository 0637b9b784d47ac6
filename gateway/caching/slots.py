"""Where the answer to a request belongs in the cache: its digests, its pool, what it can be purged by, its life.

Knows no store. Invariant: two requests have the same key only if one answer is right for both.
"""

from collections.abc import Callable, Mapping

from gateway.caching import policy
from gateway.exchange import Call, Prompt, Slot
from gateway.fingerprint import fingerprint
from gateway.models import Model
from gateway.settings import Cache as Section


class Slots:
    """Finds slots. `embedder` is its identity; `guarded` says of a tenant what changes when its guards do."""

    def __init__(
        self,
        section: Section,
        models: Mapping[str, Model],
        embedder: str,
        guarded: Callable[[str], str] = lambda tenant: "",
    ) -> None:
        self._section, self._models, self._embedder, self._guarded = section, models, embedder, guarded

    def of(self, call: Call, prompt: Prompt) -> Slot:
        """The slot of one request, without a vector."""
        model = self._models[prompt.model]
        shared = prompt.template is not None and prompt.template.id in self._section.shared
        guards = self._guarded(call.caller.tenant)
        partition, key = fingerprint(call, prompt, shared, model.served, self._embedder, model.max_output, guards)
        return Slot(
            key=key,
            partition=partition,
            pool=_pool(call, prompt, shared),
            vector=None,
            tags=tags(call, prompt),
            question=prompt.question or "",
            ttl_s=policy.of(prompt).ttl_s or self._section.ttl_s,
        )


KINDS = ("tenant", "model", "request", "prompt", "collection", "tag")


def known_tag(tag: str | None) -> str | None:
    """The tag, if answers can have such a one. Raises ValueError."""
    if tag is None or (tag.partition(":")[0] in KINDS and tag.partition(":")[2]):
        return tag
    raise ValueError(f"a tag begins with one of {', '.join(f'{kind}:' for kind in KINDS)} and names one")


def tags(call: Call, prompt: Prompt) -> tuple[str, ...]:
    """What an answer can be purged by: `tenant:acme`, `model:small`, `prompt:answer`, `prompt:answer@v3`,
    `collection:docs`, `request:...`, and the request's own tags as `tag:feature=search`."""
    template, retrieve = prompt.template, prompt.retrieve
    return (
        f"tenant:{call.caller.tenant}",
        f"model:{prompt.model}",
        f"request:{call.request_id}",
        *((f"prompt:{template.id}", f"prompt:{template.id}@{template.version}") if template else ()),
        *((f"collection:{retrieve.snapshot.name}",) if retrieve else ()),
        *(f"tag:{name}={value}" for name, value in call.options.tags.items()),
    )


def flight_name(call: Call, prompt: Prompt, slot: Slot) -> str:
    """Who has the same reads the same answer while it is being made. A fallback may answer, which is kept for nobody:
    so whoever reads along must be allowed the same models; and whose answer may be repaired does not read along with
    one that is shown as it comes, nor the other way round."""
    models, name = call.caller.scopes.models, f"{slot.key}/{prompt.mode}"
    return name if models is None else f"{name}/{','.join(sorted(models))}"


def _pool(call: Call, prompt: Prompt, shared: bool) -> str:
    """What learns together: one kind of question, of one tenant or of all that share its answers.

    A tenant's name and a prompt's id hold no colon.
    """
    scope = "shared" if shared else f"tenant:{call.caller.tenant}"
    return f"{scope}:{prompt.template.id if prompt.template else 'plain'}:{prompt.model}"
