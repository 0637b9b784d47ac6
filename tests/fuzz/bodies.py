"""Bodies that almost are requests: a good one of each endpoint, spoiled as bytes or as a tree, by seed.

A tenth is left whole, so that what is behind the reading is met too. Pure.
"""

import json
import random
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from tests.gateway.api.hostile import BODIES

_HI = [{"role": "user", "content": "Hi"}]
_TOOL = {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {"at": {}}}}
_CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
_TURNS = [*_HI, {"role": "assistant", "tool_calls": [_CALL]}, {"role": "tool", "tool_call_id": "c1", "content": "x"}]
_USE = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
_RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
_GATEWAY = {"cache": "skip", "tags": {"a": "b"}, "on_length": "return", "explain": True}

# A whole request for every endpoint, with as many of its fields as go together.
SAMPLES: Mapping[str, Mapping[str, Any]] = {
    "/v1/chat/completions": {
        "model": "small", "messages": _TURNS, "temperature": 0.5, "max_completion_tokens": 9, "n": 2, "stop": ["x"],
        "stream": True, "stream_options": {"include_usage": True}, "logit_bias": {"7": 1}, "seed": 3,
        "tools": [{"type": "function", "function": _TOOL}], "tool_choice": "auto", "gateway": _GATEWAY,
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
    },
    "/v1/completions": {
        "model": "small", "prompt": "Once", "max_tokens": 5, "temperature": 0.5, "logprobs": 2, "stop": "x",
        "stream": True, "gateway": _GATEWAY,
    },
    "/v1/embeddings": {"model": "all-MiniLM-L6-v2", "input": ["one", "two"], "encoding_format": "float"},
    "/v1/responses": {
        "model": "small", "instructions": "Be terse.", "max_output_tokens": 16, "temperature": 0.5, "stream": True,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "x"},
        ],
        "tools": [{"type": "function", **_TOOL}], "text": {"format": {"type": "text"}}, "gateway": _GATEWAY,
    },
    "/v1/messages": {
        "model": "small", "max_tokens": 9, "system": [{"type": "text", "text": "Be terse."}], "stream": True,
        "messages": [*_HI, {"role": "assistant", "content": [_USE]}, {"role": "user", "content": [_RESULT]}],
        "tools": [{"name": "look", "input_schema": {"type": "object"}}], "tool_choice": {"type": "auto"},
        "stop_sequences": ["x"], "gateway": _GATEWAY,
    },
    "/v1/messages/count_tokens": {"model": "small", "messages": _HI, "system": "Be terse."},
}  # fmt: skip

_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 1e308, 5e-324, 0.1, "", " ", "a", "\x00", "\u2028",
    "\U0001f469\u200d\U0001f680", "x" * 10_000, "<|im_end|>", "../../etc/passwd", "{{ 7*7 }}", [], [[]], {}, {"": {}},
    [None], [{}], {"type": "text"}, {"$ref": "#"}, [1] * 300, "auto", "function", "user",
)  # fmt: skip


def body(seed: int) -> tuple[str, bytes]:
    """A path and what to send there."""
    draw = random.Random(seed)
    path = draw.choice(list(SAMPLES))
    value = json.loads(json.dumps(SAMPLES[path]))
    kind = draw.random()
    if kind < 0.1:
        return path, json.dumps(value).encode()
    if kind < 0.15:
        return path, draw.choice(list(BODIES.values()))
    if kind < 0.4:
        return path, spoiled(draw, json.dumps(value).encode())
    for _ in range(draw.randint(1, 3)):
        _grafted(draw, value)
    return path, json.dumps(value).encode()


def spoiled(draw: random.Random, good: bytes) -> bytes:
    """The bytes with something cut, doubled, put in or turned over."""
    bad = bytearray(good)
    for _ in range(draw.randint(1, 4)):
        at, size = draw.randrange(len(bad) + 1), draw.randint(0, 8)
        noise = draw.randbytes(size) if draw.random() < 0.5 else bytes(draw.choices(b'{}[]",:\\u0dnulltrue', k=size))
        bad[at : at + size] = draw.choice((b"", bytes(bad[at : at + size]) * 2, noise))
    return bytes(bad)


def _grafted(draw: random.Random, value: Any) -> None:
    """Somewhere in the tree another value, one more or one less."""
    places = list(_places(value))
    parent, key = draw.choice(places)
    kind = draw.random()
    if kind < 0.6:
        parent[key] = deepcopy(draw.choice(_ODD))
    elif kind < 0.8:
        del parent[key]
    elif isinstance(parent, dict):
        parent[draw.choice(("nonsense", "cache_salt", "priority", "", "type", "x" * 200))] = deepcopy(draw.choice(_ODD))
    else:
        parent.extend(deepcopy(parent))


def _places(value: Any) -> Any:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield value, key
        yield from _places(child)
