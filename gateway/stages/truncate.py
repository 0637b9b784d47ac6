"""Truncate: a prompt that does not fit loses what its request or its template allows to go. Knows no budget.

The room is the window less the answer's ceiling and less what passages may take. An answer that may take more than half
of the window, or passages that may take more than half of the rest, are counted with that half. What goes first is said
in `gateway.truncation.rules`; budgets of single sections hold whatever room there is, counted as the tokens of their
texts. Once the passages are in place the prompt grows back into what they left empty.

Where nothing more may be left out and the window still takes it, the answer's ceiling gives way, as it does for a
prompt of which nothing may go; where it does not, preflight refuses it.

Invariants: nothing is cut that nobody allowed; a prompt that fits is not touched; the same request is cut alike; what
stands before the cut keeps its bytes, the instructions and examples first of all, so that the engine's prefix cache
has them; every length is counted as it is sent, control tokens broken up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from gateway.errors import ContextLengthExceeded
from gateway.exchange import Call, Cut, Message, Packed, Parts, Prompt
from gateway.models import Model, control
from gateway.stages.build import NONE, compose
from gateway.stages.preflight import asked
from gateway.truncation import Fitted, Rules, fitted, rules
from gateway.truncation.search import SLACK
from gateway.truncation.turns import INSTRUCTING, last_turn, past
from prompts.policies import SectionName
from retrieval.pack import Listing
from serving.frozen import dataclass
from serving.tokens import LONG_TEXT_CHARS, Count, Source

Counts = Callable[[str, Prompt], Awaitable[Count]]


@dataclass(frozen=True, slots=True)
class Sized:
    """A prompt and its length; None: nothing may be cut, so nobody has counted."""

    prompt: Prompt
    input: Count | None = None
    counts: int = 0  # that it took

    def facts(self) -> dict[str, Any]:
        tokens = {"input_tokens": self.input.tokens, "counts": self.counts} if self.input else {}
        return tokens | (self.prompt.cut.told() if self.prompt.cut else {})


class Truncate:
    """Cuts prompts; `count` tells how long one is for an alias."""

    def __init__(self, models: Mapping[str, Model], count: Counts) -> None:
        self._models, self._count = models, count

    async def __call__(self, call: Call, prompt: Prompt) -> Sized:
        """Raises ContextLengthExceeded where a section exceeds its budget and may not be cut, and as the count does."""
        allowed = rules(call.options.truncate, prompt.template)
        if not allowed.any:
            return Sized(prompt)
        with call.trace.stage("truncate") as stage:
            room = self._models[prompt.model].window - self._answer(prompt)
            sized = await self._sized(call, prompt, allowed, room, _reserved(prompt, room))
            stage.facts = sized.facts()
        return sized

    async def grown(self, call: Call, packed: Packed, passages: Listing, room: int) -> Packed:
        """A prompt that was cut, with its passages in place: as much of it again as `room` tokens in all take."""
        if packed.prompt.cut is None or room - packed.input.tokens <= SLACK * room:
            return packed
        with call.trace.stage("truncate") as stage:
            allowed = rules(call.options.truncate, packed.prompt.template)
            sized = await self._sized(call, packed.prompt, allowed, room, 0, passages)
            stage.facts = sized.facts()
        if sized.input is None or sized.input.tokens > room:
            return packed
        return replace(packed, prompt=sized.prompt, input=sized.input)

    async def _sized(
        self, call: Call, prompt: Prompt, allowed: Rules, room: int, reserved: int, passages: Listing = NONE
    ) -> Sized:
        model = self._models[prompt.model]
        parts = _Composed(prompt, passages, self._models, self._count)
        capped = await _capped(prompt.parts, allowed, parts)
        found = await fitted(capped, allowed.sections(capped), parts.count, room - reserved)
        if found.tokens > room:
            found = await fitted(found.parts, allowed.last(found.parts), parts.count, room)
        cut = None
        if found.parts != prompt.parts:
            cut = Cut.of(prompt.parts, found.parts, call.options.truncate, model.window)
        return Sized(replace(parts.made(found.parts), cut=cut), Count(found.tokens, parts.source), parts.counts)

    def _answer(self, prompt: Prompt) -> int:
        model = self._models[prompt.model]
        return min(asked(prompt) or model.max_output, model.window // 2)


class _Composed:
    """The parts of one prompt, put together with its passages and counted."""

    def __init__(self, prompt: Prompt, passages: Listing, models: Mapping[str, Model], count: Counts) -> None:
        self._prompt, self._passages, self._count = prompt, passages, count
        self._tokens, self._control = models[prompt.model].tokens, control(models, prompt.model)
        self.source: Source = "exact"
        self.counts = 0

    def made(self, parts: Parts) -> Prompt:
        messages = compose(self._prompt.template, parts, self._control, self._passages)
        return replace(self._prompt, messages=messages, text=parts.text)

    async def count(self, parts: Parts) -> int:
        found = await self._count(self._prompt.model, self.made(parts))
        self.counts += 1
        self.source = self.source if found.source == "exact" else found.source
        return found.tokens

    async def of(self, section: SectionName, parts: Parts) -> int:
        """Tokens of the texts of one section, without what the chat template puts around."""
        texts = [text for message in self._messages(section, parts) for text in _texts(message)]
        if sum(map(len, texts)) > LONG_TEXT_CHARS:
            return await asyncio.to_thread(self._length, texts)
        return self._length(texts)

    def _length(self, texts: list[str]) -> int:
        return sum(map(self._tokens.text, texts))

    def _messages(self, section: SectionName, parts: Parts) -> list[Message]:
        template = self._prompt.template
        if section == "examples" and template:
            return [message for at in parts.examples for message in template.shots[at].messages]
        if section == "history":
            own = compose(None, parts, self._control)
            return [own[at] for turn in past(own) for at in turn]
        last = parts.messages[last_turn(parts.messages) :]
        made = compose(template, replace(parts, examples=(), messages=last), self._control)
        return [message for message in made if (message["role"] in INSTRUCTING) == (section == "system")]


async def _capped(whole: Parts, allowed: Rules, composed: _Composed) -> Parts:
    """Each section within its own budget. Raises ContextLengthExceeded."""
    parts = whole
    for name, most in (allowed.caps or {}).items():
        sections = [one for one in (*allowed.sections(parts), *allowed.last(parts)) if one.name == name]
        found = await fitted(parts, sections, partial(composed.of, name), most)
        _demand(name, most, found)
        parts = found.parts
    return parts


def _demand(name: SectionName, most: int, found: Fitted) -> None:
    if found.tokens > most:
        raise ContextLengthExceeded(
            f"The section {name!r} of this prompt may have {most} tokens and has {found.tokens}, none of which may be "
            f"left out: shorten it by at least {found.tokens - most}.",
            param="messages" if name == "history" else "prompt.variables",
        )


def _reserved(prompt: Prompt, room: int) -> int:
    """For passages."""
    return min(prompt.retrieve.max_tokens, room // 2) if prompt.retrieve else 0


def _texts(message: Message) -> list[str]:
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or () if isinstance(part.get("text"), str)]
