"""What an inference endpoint is: how its requests are read, and how answers and failures are written. Knows no API.

Each API is a page that makes one of these: a pair of functions around the one pipeline. `read` turns a body into what
was asked; a `Writer` turns `Opened`, `Deltas` and `Closed` into bytes. What asks for no generation (embeddings, a count
of tokens) is a `handle` of its own.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request
from starlette.types import ASGIApp

from gateway.errors import Wire
from gateway.exchange import Call, Closed, Message, Opened, Options, PromptRef
from gateway.settings import Server
from serving.events import Deltas


class Writer(Protocol):
    """One answer as its client reads it. Streamed: `opening`, `deltas`, `closing`, or `failure` instead."""

    def whole(self, opened: Opened, closed: Closed) -> Any:
        """The body of an answer that is not streamed, to be written as JSON."""

    def opening(self, opened: Opened) -> bytes:
        """What comes before the first piece; may be empty."""

    def deltas(self, said: Deltas) -> bytes: ...

    def closing(self, closed: Closed) -> bytes: ...

    def failure(self, wire: Wire) -> bytes:
        """The last event of a stream that broke; `opening` may not have been sent."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked body, whatever API it came by: either `messages` or a raw `text` that no chat template renders, a
    `prompt` of the library, or both of messages and prompt; or `inputs` to embed. `fields` are to be passed on, in the
    names of the engine's chat completions, or with `text` of its completions. `conversation` is whoever or whatever it
    belongs to, as its API names that.
    """

    model: str | None
    fields: Mapping[str, Any]
    options: Options
    messages: tuple[Message, ...] = ()
    prompt: PromptRef | None = None
    text: str | None = None
    inputs: tuple[str, ...] = ()
    stream: bool = False
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """An answer that is wanted: what is asked, and how it is written. `writer` makes that for the call this becomes.

    `more` are raw prompts beside the text, each answered like it; that answer is no stream.
    """

    asked: Asked
    writer: Callable[[Call], Writer]
    more: tuple[str, ...] = ()


Read = Callable[[bytes, Server], Wanted]
Shape = Callable[[Wire, str], Any]  # a failure's body as an API has it; the string is the request id


def openai(wire: Wire, request_id: str) -> Any:
    """OpenAI's error object (platform.openai.com/docs/guides/error-codes)."""
    return wire.body()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is under one path: `handle` answers a POST or raises; `refusal` is how its API writes what was raised."""

    handle: Callable[[Request], Awaitable[ASGIApp]]
    refusal: Shape = openai
