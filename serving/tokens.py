"""How many tokens a request is, before it is sent: exactly where that is possible, and saying so where it is not.

Three ways to count, best first: `LocalTokens` (the model's own files), `ServerTokens` (the server's /tokenize) and
`EstimateTokens`. `choose` takes the best one that works and reports why. It knows no prices, windows or budgets.

Invariant: an `exact` count equals the server's `usage.prompt_tokens` of the same request.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import orjson

from serving import control, vocabulary
from serving.backend import Backend
from serving.control import KNOWN_CONTROL, Control
from serving.conversation import PromptRefused
from serving.errors import BackendError, BackendRejected
from serving.frozen import dataclass
from serving.probes import PROBES
from serving.template import Templates
from serving.vocabulary import Vocabulary

__all__ = ["Count", "EstimateTokens", "LocalTokens", "PromptRefused", "Report", "ServerTokens", "Tokens", "choose"]

LONG_TEXT_CHARS = 64 * 1024  # a few milliseconds of counting; more than that must not block the event loop
# English is some 4 bytes a token, code 3, CJK 2 to 3, random letters 2: half of the bytes is rarely exceeded.
BYTES_PER_TOKEN = 2
TOKENS_PER_MESSAGE = 16  # what templates put around a message
TOKENS_FOR_TOOLS = 256  # what they say about tools in general, before the first one


Source = Literal["exact", "estimate"]


@dataclass(frozen=True, slots=True)
class Count:
    """Tokens of a prompt, and whether that is what the server will count or a guess that is meant to be too high."""

    tokens: int
    source: Source


class Tokens(Protocol):
    """Counts for one model. `control` are its control tokens, as far as they are known."""

    control: Control

    async def count(self, request: Mapping[str, Any]) -> Count:
        """Tokens of the prompt made of a request's `messages`, `tools`, `reasoning_effort`, `continue_final_message`
        and `add_generation_prompt`, or of its raw `prompt`. Raises PromptRefused when the server would refuse them,
        BackendError when it has to be asked and cannot be.
        """
        ...

    def text(self, text: str) -> int:
        """Tokens of a text by itself, as inside a message. Long texts take long: call it in a thread."""
        ...


class LocalTokens:
    """Counts with the model's own vocabulary and chat template."""

    def __init__(
        self, words: Vocabulary, templates: Templates, source: Source = "exact", control: Control = KNOWN_CONTROL
    ) -> None:
        self.control = control
        self._vocabulary = words
        self._templates = templates
        self._source: Source = source

    @classmethod
    def load(cls, model_dir: Path) -> "LocalTokens":
        """From the folder the model is served from. Raises OSError or ValueError when its files cannot be used."""
        return cls(vocabulary.load(model_dir), Templates.load(model_dir), control=control.load(model_dir))

    def unchecked(self) -> "LocalTokens":
        """The same counts, called estimates: nobody has said that these are the files the server uses."""
        return LocalTokens(self._vocabulary, self._templates, "estimate", self.control)

    async def count(self, request: Mapping[str, Any]) -> Count:
        raw = request.get("prompt")
        prompt, around = (self._templates.render(request), 0) if raw is None else (raw, self._vocabulary.around)
        tokens = await asyncio.to_thread(self.text, prompt) if len(prompt) > LONG_TEXT_CHARS else self.text(prompt)
        return Count(tokens + around, self._source)

    def text(self, text: str) -> int:
        try:
            text.encode()  # tiktoken would replace what the server refuses
            return self._vocabulary.count(text)
        except UnicodeEncodeError as error:
            raise PromptRefused("a text holds half of a surrogate pair, which is no character") from error


class ServerTokens:
    """Asks the server each time. `text` has no time to ask and estimates."""

    control = KNOWN_CONTROL

    def __init__(self, backend: Backend, model: str | None = None) -> None:
        self._backend = backend
        self._model = {"model": model} if model else {}

    async def count(self, request: Mapping[str, Any]) -> Count:
        continued = bool(request.get("continue_final_message"))
        body = {
            "messages": request.get("messages"),
            "tools": request.get("tools"),
            "continue_final_message": continued,
            "add_generation_prompt": request.get("add_generation_prompt", not continued),
        }
        if effort := request.get("reasoning_effort"):
            body["chat_template_kwargs"] = {"reasoning_effort": effort, "enable_thinking": effort != "none"}
        if (raw := request.get("prompt")) is not None:
            body = {"prompt": raw}
        try:
            return Count(await self._backend.tokenize(self._model | body), "exact")
        except BackendRejected as error:
            raise PromptRefused(error.message) from error

    def text(self, text: str) -> int:
        return _estimate(text)


class EstimateTokens:
    """Guesses from the bytes, rather too many than too few."""

    control = KNOWN_CONTROL

    async def count(self, request: Mapping[str, Any]) -> Count:
        messages, tools = request.get("messages"), request.get("tools")
        raw = request.get("prompt")
        said = orjson.dumps([messages, tools or []]).decode() if raw is None else raw
        around = TOKENS_PER_MESSAGE * (len(messages) + 1 if isinstance(messages, list) else 1)
        around += TOKENS_FOR_TOOLS if tools else 0
        return Count(_estimate(said) + around, "estimate")

    def text(self, text: str) -> int:
        return _estimate(text)


def _estimate(text: str) -> int:
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Report:
    """How tokens are counted, in words why not better, and every probe on which the server counted otherwise."""

    way: Literal["local", "server", "estimate"]
    reason: str
    disagreements: tuple[str, ...] = ()


async def choose(backend: Backend, model_dir: Path | None, model_name: str) -> tuple[Tokens, Report]:
    """The best way to count for the model that `backend` serves as `model_name`; `model_dir` may hold its files."""
    server = ServerTokens(backend, model_name)
    local, reason = _local(model_dir)
    try:
        disagreements = await _compare(local or server, server)
    except BackendError as error:
        unasked = f"the server's /tokenize does not answer ({error.message})"
        if local:
            return local.unchecked(), Report("estimate", f"{unasked}, so the model files are unchecked")
        return EstimateTokens(), Report("estimate", f"{reason}, and {unasked}")
    if local and not disagreements:
        return local, Report("local", f"agrees with the server on all {len(PROBES)} probes")
    if local:
        reason = f"the files disagree with the server on {len(disagreements)} of {len(PROBES)} probes"
    return server, Report("server", reason, disagreements)


def _local(model_dir: Path | None) -> tuple[LocalTokens | None, str]:
    if model_dir is None:
        return None, "no model files are configured"
    try:
        return LocalTokens.load(model_dir), ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        return None, f"the model files cannot be used: {error}"


async def _compare(tokens: Tokens, server: ServerTokens) -> tuple[str, ...]:
    """The names of the probes that are counted differently, with both counts."""
    found = []
    for name, request in PROBES.items():
        ours, theirs = await _outcome(tokens, request), await _outcome(server, request)
        if ours != theirs:
            found.append(f"{name}: {ours} here, {theirs} at the server")
    return tuple(found)


async def _outcome(tokens: Tokens, request: Mapping[str, Any]) -> int | str:
    """A count, or that the prompt is refused: templates refuse some roles or orders, and both sides must."""
    try:
        return (await tokens.count(request)).tokens
    except PromptRefused:
        return "refused"
