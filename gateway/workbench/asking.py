"""Asking a model without the gateway around it, for what is tried out: messages in, one answer with its price out.

Knows no tenant, no budget and no cache. Invariant: at most AT_ONCE questions of one `Desk` are with the backends.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

from gateway.connect import Models
from gateway.prices import Prices
from gateway.settings import Settings
from serving.backend import Backend
from serving.events import Usage
from serving.frozen import dataclass
from serving.tokens import LocalTokens, ServerTokens, Tokens

AT_ONCE = 8  # enough for an engine to batch, few beside what it serves meanwhile


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: its text, why it ended (OpenAI's finish_reason), what it used and took.

    `cost_nano` is None without a price; `seconds` from asking to the last token.
    """

    text: str
    finish_reason: str
    usage: Usage
    cost_nano: int | None
    seconds: float


class Desk:
    """Asks the models of the settings, while its block lasts."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._prices = settings, Prices(settings.prices)
        self._stack, self._free = AsyncExitStack(), asyncio.Semaphore(AT_ONCE)

    async def __aenter__(self) -> Self:
        self._models = Models(self._settings)
        self._stack.push_async_callback(self._models.aclose)
        return self

    async def __aexit__(self, *ending: object) -> None:
        await self._stack.aclose()

    async def ask(self, alias: str, messages: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> Said:
        """One answer of an alias's first backend; `fields` are OpenAI's. Raises BackendError."""
        section = self._settings.models[alias]
        backend = self._models.backends[section.backends[0]]
        ceiling = {"max_completion_tokens": fields.get("max_tokens") or section.max_output}
        asked = {name: value for name, value in fields.items() if name != "max_tokens"} | ceiling
        body = asked | {"model": await self._served(backend, section.served), "messages": list(messages)}
        async with self._free:
            began = time.perf_counter()
            whole = await backend.complete(body)
        usage, choice = whole.usage or Usage(), whole.choices[0]
        took = time.perf_counter() - began
        text = str(choice.message.get("content") or "")
        return Said(text, choice.finish_reason, usage, self._prices.cost(alias, usage), took)

    async def tokens(self, alias: str, messages: Sequence[Mapping[str, Any]] | None) -> int | None:
        """Tokens of a prompt as the model reads it; None of none. Raises BackendError, PromptRefused."""
        if messages is None:
            return None
        section = self._settings.models[alias]
        backend = self._models.backends[section.backends[0]]
        counter: Tokens = (
            LocalTokens.load(section.tokenizer) if section.tokenizer else ServerTokens(backend, section.served)
        )
        return (await counter.count({"messages": list(messages)})).tokens

    async def _served(self, backend: Backend, named: str | None) -> str:
        return named or (await backend.models())[0].id
