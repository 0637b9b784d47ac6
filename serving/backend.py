"""A client for one vLLM server (or another that speaks OpenAI's chat completions).

`stream` is the only way to ask for an answer; `complete` is the same stream read to its end. The client knows neither
tenants nor budgets nor other backends; to the body it adds only what makes it a stream with running usage.

Invariants: every failure is a `serving.errors` error; whatever ends the generator ends the work of the backend.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson

from serving.chunks import Reader
from serving.connection import Connection
from serving.deadlines import Clock, Timeouts
from serving.decode import Decoder
from serving.errors import BackendBroken, BackendError
from serving.events import Completion, Event, Fold

__all__ = ["Backend", "Model", "Timeouts"]

# The largest honest answer that is not a stream: /tokenize with a million token ids.
MAX_ANSWER_BYTES = 16 * 1024 * 1024
DEFAULT_TIMEOUTS = Timeouts()
EVENT_STREAM = "text/event-stream"
STREAMED = {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of GET /v1/models: `max_model_len` in tokens, `root` where the server loaded it from."""

    id: str
    max_model_len: int | None = None
    root: str | None = None


class Backend:
    """One server at `url`, called `name` in errors and records. `api_key` is sent as a bearer token and never shown."""

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
        self._connection = Connection(
            name, url, api_key=api_key, connect_seconds=timeouts.connect, max_connections=max_connections
        )

    def __repr__(self) -> str:
        return f"Backend({self.name!r})"

    async def stream(
        self, body: Mapping[str, Any], headers: Mapping[str, str] = {}, path: str = "/v1/chat/completions"
    ) -> AsyncGenerator[Event, None]:
        """Answer one chat completion, event by event. Raises BackendError; closing the generator stops the backend."""
        clock, reader, decoder = Clock(self.name, self._timeouts), Reader(self.name), Decoder()
        asked = self._connection.answer("POST", path, {**body, **STREAMED}, headers, clock, EVENT_STREAM)
        async with asked as pieces:
            while piece := await self._connection.piece(pieces, clock):
                with self._whole_events():
                    payloads = decoder.feed(piece)
                for payload in payloads:
                    clock.tick()
                    for event in reader.read(payload):
                        yield event
            with self._whole_events():
                decoder.close()
            yield reader.end()

    async def complete(self, body: Mapping[str, Any], headers: Mapping[str, str] = {}) -> Completion:
        """The same answer, whole."""
        answer = Fold()
        async with aclosing(self.stream(body, headers)) as events:
            async for event in events:
                answer.add(event)
        return answer.completion()

    async def models(self) -> list[Model]:
        """What the server serves, LoRA adapters included. Raises BackendError."""
        answer = await self._ask("GET", "/v1/models")
        with self._shape("/v1/models"):
            return [Model(str(m["id"]), m.get("max_model_len"), m.get("root")) for m in answer["data"]]

    async def tokenize(self, body: Mapping[str, Any]) -> int:
        """Tokens of `body`, {"messages", "tools" ...} or {"prompt"}, as the server counts them. Raises BackendError."""
        answer = await self._ask("POST", "/tokenize", body)
        with self._shape("/tokenize"):
            return int(answer["count"])

    async def health(self) -> bool:
        """Whether the server says it is alive. vLLM's answer does not see overload or a hung device."""
        try:
            await self._bytes("GET", "/health", None, self._timeouts.connect)
        except BackendError:
            return False
        return True

    async def version(self) -> str | None:
        """The server's version, or None when it does not tell."""
        try:
            answer = await self._ask("GET", "/version")
        except BackendError:
            return None
        return str(answer["version"]) if isinstance(answer, dict) and "version" in answer else None

    async def aclose(self) -> None:
        """Close every connection, running answers included."""
        await self._connection.aclose()

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = await self._bytes(method, path, body, self._timeouts.first_token)
        with self._shape(path):
            return orjson.loads(answer)

    async def _bytes(self, method: str, path: str, body: Mapping[str, Any] | None, seconds: float) -> bytes:
        clock = Clock(self.name, replace(self._timeouts, first_token=seconds))
        async with self._connection.answer(method, path, body, {}, clock) as pieces:
            answer = await self._connection.read(pieces, clock, MAX_ANSWER_BYTES)
        if len(answer) > MAX_ANSWER_BYTES:
            raise BackendBroken(self.name, f"the answer to {path} is larger than {MAX_ANSWER_BYTES} bytes")
        return answer

    @contextmanager
    def _whole_events(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise BackendBroken(self.name, str(error)) from error

    @contextmanager
    def _shape(self, path: str) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BackendBroken(self.name, f"the answer to {path} has an unexpected shape") from error
