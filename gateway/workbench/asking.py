"""Asking a model, for what is tried out: a question in, one answer with its price out.

    Desk               a backend of the settings, directly      (workbench.through: a gateway that runs, with its chain)
    Recorded           what was answered once                   (workbench.recorded)

Knows no tenant, no budget and no cache. Invariant: at most AT_ONCE questions of one `Desk` are with the backends.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import field
from typing import Any, Protocol, Self

from gateway.connect import Models
from gateway.prices import Prices
from gateway.settings import Model as Section
from gateway.settings import Settings
from serving.backend import Backend
from serving.errors import BackendError
from serving.events import Usage
from serving.frozen import dataclass
from serving.tokens import LocalTokens, PromptRefused, ServerTokens, Tokens

AT_ONCE = 8  # enough for an engine to batch, few beside what it serves meanwhile

Messages = Sequence[Mapping[str, Any]]


class Unanswered(Exception):
    """Raised where a question gets no answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a model (an alias): messages, and fields of OpenAI's requests.

    `prompt` (id, version, variables) is what a gateway is asked for instead, where the messages are a template's.
    """

    alias: str
    messages: Messages
    fields: Mapping[str, Any] = field(default_factory=dict)
    prompt: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: its text, why it ended (OpenAI's finish_reason), what it used and took.

    `cost_nano` is None without a price; `seconds` from asking to the last token; `calls` are OpenAI's tool calls.
    """

    text: str
    finish_reason: str
    usage: Usage
    cost_nano: int | None
    seconds: float
    calls: tuple[Mapping[str, Any], ...] = ()


class Asking(Protocol):
    async def ask(self, question: Question) -> Said:
        """One answer. Raises Unanswered."""


class Nobody:
    """Asked where no model is at hand."""

    async def ask(self, question: Question) -> Said:
        raise Unanswered("there is nobody to ask")


def alias_of(settings: Settings, *names: str | None) -> str:
    """The first of these aliases that is given, else that of requests that name none."""
    return next((name for name in names if name), None) or settings.default_model() or ""


class Desk:
    """Asks the models of the settings, while its block lasts."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._prices = settings, Prices(settings.prices)
        self._stack, self._free = AsyncExitStack(), asyncio.Semaphore(AT_ONCE)
        self._names: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self._models = Models(self._settings)
        self._stack.push_async_callback(self._models.aclose)
        return self

    async def __aexit__(self, *ending: object) -> None:
        await self._stack.aclose()

    async def ask(self, question: Question) -> Said:
        """One answer of an alias's first backend. Raises Unanswered."""
        alias, fields = question.alias, question.fields
        section, backend = self._section(alias)
        ceiling = fields.get("max_tokens") or section.max_output
        asked = {name: value for name, value in fields.items() if name != "max_tokens"}
        body = asked | {"max_completion_tokens": ceiling, "messages": list(question.messages)}
        try:
            async with self._free:
                body["model"] = await self._served(alias, section, backend)
                began = time.perf_counter()
                whole = await backend.complete(body)
                took = time.perf_counter() - began
        except BackendError as error:
            raise Unanswered(f"{alias!r} does not answer: {error}") from error
        usage, choice = whole.usage or Usage(), whole.choices[0]
        return Said(
            str(choice.message.get("content") or ""),
            choice.finish_reason,
            usage,
            self._prices.cost(alias, usage),
            took,
            tuple(choice.message.get("tool_calls") or ()),
        )

    async def tokens(self, question: Question) -> int:
        """Tokens of a prompt as the model reads it, tools included. Raises Unanswered."""
        section, backend = self._section(question.alias)
        try:
            counter: Tokens = (
                LocalTokens.load(section.tokenizer) if section.tokenizer else ServerTokens(backend, section.served)
            )
            named = {name: question.fields[name] for name in ("tools",) if name in question.fields}
            return (await counter.count({"messages": list(question.messages), **named})).tokens
        except (BackendError, PromptRefused, OSError, ValueError) as error:
            raise Unanswered(f"the tokens of {question.alias!r} cannot be counted: {error}") from error

    def _section(self, alias: str) -> tuple[Section, Backend]:
        """An alias's settings and its first backend. Raises Unanswered."""
        if alias not in self._settings.models:
            known = ", ".join(self._settings.models) or "none"
            raise Unanswered(f"there is no model {alias!r} in the settings; known: {known}")
        section = self._settings.models[alias]
        return section, self._models.backends[section.backends[0]]

    async def _served(self, alias: str, section: Section, backend: Backend) -> str:
        """The name that the backend has for an alias's model; asked once."""
        if alias not in self._names:
            served = section.served or next((m.id for m in await backend.models()), None)
            if served is None:
                raise Unanswered(f"backend {backend.name!r} serves no model")
            self._names[alias] = served
        return self._names[alias]
