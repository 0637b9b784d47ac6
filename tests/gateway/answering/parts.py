"""Answers in parts, of a route to given backends: without the rest of the gateway."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

from gateway.answering.joined import Joined
from gateway.exchange import Attempt, Packed, Prompt, wanted
from gateway.models import Model
from gateway.stages.route import Route
from serving.backend import Backend
from serving.events import Completion, Deltas, Event, Fold
from serving.pool import Pool
from serving.tokens import Count, EstimateTokens
from tests.fakes.backend import FakeBackend
from tests.gateway.calls import call

INPUT = 12  # tokens of the prompt, as preflight would count them


def packed(text: str | None = None, messages: Iterable[Mapping[str, Any]] = (), **fields: Any) -> Packed:
    """A prompt as it is sent: `text` raw, else messages."""
    said = () if text else tuple(messages) or ({"role": "user", "content": "Hi"},)
    prompt = Prompt(
        model="small", messages=said, fields=fields, template=None, question=None, format=wanted(fields),
        retrieve=None, on_stop={}, mode="verdict", cache="off", text=text,
    )  # fmt: skip
    return Packed(prompt, Count(INPUT, "exact"))


@asynccontextmanager
async def routed(*urls: str, spare: str | None = None, kind: type[Route] = Route) -> AsyncIterator[Any]:
    """To an alias on these backends, and another on `spare` that it falls back to."""
    async with AsyncExitStack() as stack:

        def model(alias: str, urls: Iterable[str], fallback: tuple[str, ...]) -> Model:
            backends = [Backend(f"{alias}-{number}", url) for number, url in enumerate(urls)]
            for backend in backends:
                stack.push_async_callback(backend.aclose)
            return Model(alias, "tiny", Pool(backends), EstimateTokens(), 4096, 64, fallback)

        models = {"small": model("small", urls, ("other",) if spare else ())}
        models |= {"other": model("other", [spare], ())} if spare else {}
        yield kind(models, 3, b"secret")


@asynccontextmanager
async def faked() -> AsyncIterator[tuple[FakeBackend, Joined]]:
    """A backend that does what it is told, and the parts that it makes, joined."""
    async with FakeBackend() as fake, routed(fake.url) as route:
        yield fake, Joined(route)


def joined(joiner: Joined, asked: Packed, ceiling: int, more: int) -> AsyncGenerator[Event, None]:
    """An answer of one part and `more` others of `ceiling` tokens."""
    return joiner(call(), asked, ceiling, (Attempt(INPUT, ceiling),) * more)


async def read(events: AsyncGenerator[Event, None]) -> tuple[Completion, list[Event]]:
    """The folded answer, and its events."""
    fold, heard = Fold(), list[Event]()
    async with aclosing(events):
        async for event in events:
            heard.append(event)
            fold.add(event)
    return fold.completion(), heard


def streamed(events: Iterable[Event]) -> str:
    """What a client of the stream reads."""
    return "".join(event.text for event in events if isinstance(event, Deltas))


def text(answer: Completion) -> str:
    return str(answer.choices[0].message["content"] or "")
