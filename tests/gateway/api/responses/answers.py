"""Scripted answers of an engine, as the response writer tells them: read by the real reader, without a socket."""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.answering.causes import honest
from gateway.api.responses.writing import ResponseWriter
from gateway.exchange import Closed, Opened
from serving.chunks import Reader
from serving.decode import Decoder
from serving.events import Completion, Deltas, Event, Fold, Start, Usage
from tests.fakes.said import DONE, first, last, piece

ASKED = {"model": "small", "input": "Hi"}


def thinking(*steps: Mapping[str, Any], finish: str = "stop") -> tuple[bytes, ...]:
    """A whole answer of these deltas, a token each."""
    count = len(steps)
    pieces = [piece(delta, n) for n, delta in enumerate(steps, 1)]
    return first(), *pieces, piece({}, count, finish), last(count), DONE


def streamed(steps: Iterable[bytes], asked: Mapping[str, Any] = ASKED) -> bytes:
    """The stream of an answer."""
    events, completion = _read(steps)
    writer = ResponseWriter("req_1", asked)
    begun = writer.opening(_opened(completion))
    pieces = [writer.deltas(event) for event in events if isinstance(event, Deltas)]
    return begun + b"".join(pieces) + writer.closing(_closed(completion))


def whole(steps: Iterable[bytes], asked: Mapping[str, Any] = ASKED) -> dict[str, Any]:
    """The same answer, buffered."""
    _, completion = _read(steps)
    return ResponseWriter("req_1", asked).whole(_opened(completion), _closed(completion))


def _read(steps: Iterable[bytes]) -> tuple[list[Event], Completion]:
    reader, answer = Reader("fake"), Fold()
    events = [event for payload in Decoder().feed(b"".join(steps)) for event in reader.read([payload])]
    events.append(reader.end())
    for event in events:
        answer.add(event)
    return events, honest(answer.completion())


def _opened(completion: Completion) -> Opened:
    start = completion.start
    return Opened(Start(start.id, start.created, "small"), "miss", ())


def _closed(completion: Completion) -> Closed:
    return Closed(completion, completion.usage or Usage(), (), None, {"request_id": "req_1"})
