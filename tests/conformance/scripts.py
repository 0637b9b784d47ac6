"""What the scripted backend says to the clients under test: the first word of the last user message names a script.

The rest of that message is the asker's own, so that clients may run side by side and each one's requests be counted.
"""

import json
import struct
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.fakes.backend import HANG, JSON, RST, Script, Seen, Step
from tests.fakes.said import DONE, MODEL, Piece, choices, event, faulted, first, last, piece, said, words

SAID = "Hello world"  # by `hello`
VECTORS = [[0.0, 0.5, -0.25], [1.0, 0.5, -0.25]]  # of the first texts: each begins with its number
WEATHER = {"city": "Bern", "degrees": 21}
# What clients that split lines by Unicode's rules, or text by bytes, would break.
HARD = ("naïve e\u0301 ", "👩‍👩‍👧‍👦 ", "a\u2028b\u2029c\u0085d ", '日本語 "quoted" \\ \n\t\u0000end')

Calls = Iterable[tuple[str, str, Mapping[str, Any]]]
CALLS = (("call-bern", "weather", {"city": "Bern"}), ("call-rome", "weather", {"city": "Rome"}))
# As packages hand them on: with their arguments read, or as text.
CALLED = [list(call) for call in CALLS]
UNREAD = [[call_id, function, json.dumps(arguments)] for call_id, function, arguments in CALLS]
FRAGMENT = 4  # characters of a call's arguments in one chunk


def answer(seen: Seen, nth: int) -> Script:
    """The script that a chat asks for; `nth` is how often the same was asked before."""
    if seen.body["messages"][-1]["role"] == "tool":  # what was called has answered
        return Script(_HELLO)
    steps = _as_tool(seen) if name(seen) == "as-tool" else _STEPS.get(name(seen))
    return _FAULTS[name(seen)](nth) if steps is None else Script(steps)


class Scripts:
    """The backend's choice, and how often each text was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __call__(self, seen: Seen) -> Script:
        text = asked(seen)
        self.asked[text] += 1
        return answer(seen, self.asked[text] - 1)


async def embedded(seen: Seen) -> Script:
    """A vector for each text."""
    vectors = [struct.pack("<3f", number, *VECTORS[0][1:]) for number in range(len(seen.body["input"]))]
    data = [
        {"index": number, "object": "embedding", "embedding": b64encode(vector).decode()}
        for number, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": 2 * len(data), "total_tokens": 2 * len(data), "completion_tokens": 0}
    said = {"id": "embd-fake", "object": "list", "created": 1, "model": MODEL, "data": data, "usage": usage}
    return Script((json.dumps(said).encode(),), headers=JSON)


def asked(seen: Seen) -> str:
    """The text of a chat's last user message."""
    content = [m["content"] for m in seen.body["messages"] if m["role"] == "user"][-1]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def name(seen: Seen) -> str:
    return asked(seen).split()[0]


def _called(calls: Calls) -> tuple[bytes, ...]:
    """Calls of functions as vLLM streams them: one after the other, each one's arguments in fragments."""
    deltas = [delta for index, call in enumerate(calls) for delta in _fragments(index, *call)]
    steps = [piece({"tool_calls": [delta]}, n) for n, delta in enumerate(deltas, 1)]
    return first(), *steps, piece({}, len(steps) + 1, "tool_calls"), last(len(steps) + 1), DONE


def _as_tool(seen: Seen) -> tuple[bytes, ...]:
    """The call of whichever tool is offered: packages name theirs by the type that they want."""
    return _called([("call-1", seen.body["tools"][0]["function"]["name"], WEATHER)])


def _fragments(index: int, call_id: str, function: str, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    text = json.dumps(arguments)
    begun = {"id": call_id, "type": "function", "index": index, "function": {"name": function, "arguments": ""}}
    cuts = [text[at : at + FRAGMENT] for at in range(0, len(text), FRAGMENT)]
    return [begun, *({"index": index, "function": {"arguments": cut}} for cut in cuts)]


def _reasoned() -> tuple[bytes, ...]:
    thoughts = [piece({"reasoning": text}, n) for n, text in enumerate(("Two and ", "two."), 1)]
    return first(), *thoughts, piece({"content": "Four"}, 3), piece({}, 4, "stop"), last(4), DONE


def _with_logprobs() -> tuple[bytes, ...]:
    def likely(token: str, logprob: float) -> dict[str, Any]:
        return {"token": token, "logprob": logprob, "bytes": list(token.encode())}

    def step(n: int, token: str) -> bytes:
        other = [likely(token, -0.5), likely("?", -2.5)]
        chunk = json.loads(piece({"content": token}, n).removeprefix(b"data: "))
        chunk["choices"][0]["logprobs"] = {"content": [{**likely(token, -0.5), "top_logprobs": other}]}
        return Piece.of(event(chunk), 0, n)

    return first(), step(1, "Hello"), step(2, " you"), piece({}, 3, "stop"), last(3), DONE


def _refusal(status: int, message: str, **headers: str) -> Script:
    error = {"error": {"message": message, "type": "BadRequestError", "param": None, "code": status}}
    return Script((json.dumps(error).encode(),), status, JSON | headers)


def _late(*steps: Step) -> Callable[[int], Script]:
    return lambda nth: Script((*words("Hel", "lo"), *steps))


_HELLO = said("Hello", " world")
_STEPS: Mapping[str, tuple[Step, ...]] = {
    "hello": _HELLO,
    "hard": said(*HARD),
    "json": said(*(json.dumps(WEATHER)[at : at + 5] for at in range(0, len(json.dumps(WEATHER)), 5))),
    "two": choices("Hello", " world"),
    "cut": said("Hello", finish="length"),
    "tool": _called(CALLS[:1]),
    "tools": _called(CALLS),
    "reason": _reasoned(),
    "logprobs": _with_logprobs(),
}
_FAULTS: Mapping[str, Callable[[int], Script]] = {
    "refused": lambda nth: _refusal(400, "Unknown role"),
    "faulted": lambda nth: Script(faulted("Token id 99999 is out of vocabulary")),
    "down": lambda nth: _refusal(500, "CUDA error"),
    "hiccup": lambda nth: _refusal(500, "CUDA error") if nth == 0 else Script(_HELLO),
    "full": lambda nth: _refusal(503, "full", **{"retry-after": "2"}) if nth == 0 else Script(_HELLO),
    "hang": lambda nth: Script((HANG,)),
    "reset-late": _late(RST),
    "faulted-late": _late(*faulted("EngineCore died", code=500, param=None)),
    "hang-late": _late(HANG),
}
