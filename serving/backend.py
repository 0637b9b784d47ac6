"""A client for one vLLM server (or another that speaks OpenAI's chat completions).

`stream` is the only way to ask for what is generated; `complete` is the same stream read to its end, and `ask` is for
answers that are one JSON value. The client knows neither tenants nor budgets nor other backends; to the body of a
stream it adds only what makes it one, with running usage.

Invariants: every failure is a `serving.errors` error; whatever ends the generator ends the work of the backend.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson

from serving.chunks import Reader
from serving.client import Answer, Client
from serving.deadlines import Clock, Timeouts
from serving.decode import Decoder
from serving.deltas import chat_delta, text_delta
from serving.errors import BackendBroken, BackendError, BackendTimeout
from serving.events import Completion, Event, Fold

__all__ = ["Backend", "Model", "Timeouts"]

# The largest honest answers that are no stream: /tokenize with a million token ids; OpenAI's largest batch of
# embeddings, 2,048 of 1,536 numbers, which vLLM writes with about 20 bytes each.
MAX_ANSWER_BYTES = 16 * 1024 * 1024
MAX_ASKED_BYTES = 64 * 1024 * 1024
# Connections for health, counts and names: generations may hold all others for minutes and must not hide these. Such
# answers take milliseconds each of the one process that is vLLM's front, so a few do.
MAX_QUESTIONS = 8
DEFAULT_TIMEOUTS = Timeouts()
CHATS, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
EVENT_STREAM = "text/event-stream"
STREAMED = {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of GET /v1/models: `max_model_len` in tokens, `root` where the server loaded it from."""

    id: str
    max_model_len: int | None = None
    root: str | None = None


class Backend:
    """One server at `url`, called `name` in errors and records. `api_key` is sent as a bearer token and never shown.

    At most `max_connections` carry generations and embeddings; the small questions have a few of their own.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        api_key: str | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        max_connections: int = 256,
    ) -> None:
        self.name = name
        self.url = url
        self._timeouts = timeouts
        self.fingerprint: str | None = None  # what the engine called itself last
        client = partial(Client, name, url, api_key=api_key, connect_seconds=timeouts.connect)
        self._client, self._questions = client(max_connections=max_connections), client(max_connections=MAX_QUESTIONS)

    def __repr__(self) -> str:
        return f"Backend({self.name!r})"

    async def stream(
        self,
        body: Mapping[str, Any],
        headers: Mapping[str, str] = {},
        path: str = CHATS,
        on_sent: Callable[[], None] = lambda: None,
    ) -> AsyncGenerator[Event, None]:
        """Answer one chat (or completion, by `path`), event by event. `headers` are sent beside the client's own.

        `on_sent` is called when the request leaves: before that the backend knows nothing of it. Raises BackendError;
        closing the generator stops the backend.
        """
        clock, decoder = Clock(self.name, self._timeouts), Decoder()
        reader = Reader(self.name, chat_delta if path == CHATS else text_delta)
        answer = await self._client.answer("POST", path, {**body, **STREAMED}, headers, clock, EVENT_STREAM, on_sent)
        with closing(answer):
            try:
                while piece := await answer.piece():
                    if payloads := self._payloads(decoder, piece):
                        clock.tick()
                        for event in reader.read(payloads):
                            yield event
                    if reader.done:
                        clock.ending()
            except BackendTimeout:  # of the body's end alone, where all was said
                if not reader.done:
                    raise
            self._payloads(decoder, b"")
        end = reader.end()
        self.fingerprint = reader.fingerprint or self.fingerprint
        yield end

    async def complete(self, body: Mapping[str, Any], headers: Mapping[str, str] = {}, path: str = CHATS) -> Completion:
        """The same answer, whole."""
        answer = Fold()
        async with aclosing(self.stream(body, headers, path)) as events:
            async for event in events:
                answer.add(event)
        return answer.completion()

    async def ask(
        self,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] = {},
        on_sent: Callable[[], None] = lambda: None,
    ) -> Any:
        """The JSON that POST `path` answers (/v1/embeddings ...), which may take as long as a first token.

        `on_sent` as of `stream`. Raises BackendError.
        """
        clock = Clock(self.name, self._timeouts)
        answer = await self._client.answer("POST", path, body, headers, clock, on_sent=on_sent)
        return self._value(path, await self._whole(answer, path, MAX_ASKED_BYTES))

    async def models(self) -> list[Model]:
        """What the server serves, LoRA adapters included. Raises BackendError."""
        answer = await self._json("GET", "/v1/models")
        with self._shape("/v1/models"):
            return [Model(str(m["id"]), m.get("max_model_len"), m.get("root")) for m in answer["data"]]

    async def tokenize(self, body: Mapping[str, Any]) -> int:
        """Tokens of `body`, {"messages", "tools" ...} or {"prompt"}, as the server counts them. Raises BackendError."""
        answer = await self._json("POST", "/tokenize", body)
        with self._shape("/tokenize"):
            return int(answer["count"])

    async def detokenize(self, model: str, ids: Sequence[int]) -> str:
        """The text of token ids of `model`; U+FFFD where they hold a part of a character. Raises BackendError."""
        answer = await self._json("POST", "/detokenize", {"model": model, "tokens": ids})
        with self._shape("/detokenize"):
            return str(answer["prompt"])

    async def health(self) -> bool:
        """Whether the server says it is alive. vLLM's answer does not see overload or a hung device."""
        try:
            await self._aside("GET", "/health", timeouts=replace(self._timeouts, first_token=self._timeouts.connect))
        except BackendError:
            return False
        return True

    async def version(self) -> str | None:
        """The server's version, or None when it does not tell."""
        try:
            answer = await self._json("GET", "/version")
        except BackendError:
            return None
        return str(answer["version"]) if isinstance(answer, dict) and "version" in answer else None

    async def aclose(self) -> None:
        """Close every connection, running answers included."""
        await asyncio.gather(self._client.aclose(), self._questions.aclose())

    async def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._value(path, await self._aside(method, path, body))

    async def _aside(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, timeouts: Timeouts | None = None
    ) -> bytes:
        """The answer to what is no generation."""
        clock = Clock(self.name, timeouts or self._timeouts)
        answer = await self._questions.answer(method, path, body, {}, clock)
        return await self._whole(answer, path, MAX_ANSWER_BYTES)

    async def _whole(self, answer: Answer, path: str, limit: int) -> bytes:
        with closing(answer):
            read = await answer.read(limit)
        if len(read) > limit:
            raise BackendBroken(self.name, f"the answer to {path} is larger than {limit} bytes")
        return read

    def _value(self, path: str, answer: bytes) -> Any:
        with self._shape(path):
            return orjson.loads(answer)

    def _payloads(self, decoder: Decoder, piece: bytes) -> list[bytes]:
        """The events that the next bytes complete; no bytes are the end, at which none may be left."""
        try:
            if piece:
                return decoder.feed(piece)
            decoder.close()
        except ValueError as error:
            raise BackendBroken(self.name, str(error)) from error
        return []

    @contextmanager
    def _shape(self, path: str) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BackendBroken(self.name, f"the answer to {path} has an unexpected shape") from error
