"""Transcripts of a real vLLM: what was asked for each, and how they are recorded anew.

    python -m tests.fakes.recorded http://127.0.0.1:8000

asks a server of the bundled model (named `tiny`, with the launcher's flags) and replaces the files in transcripts/.
"""

import sys
from pathlib import Path
from typing import Any

import httpx2

FOLDER = Path(__file__).parent / "transcripts"
VERSION = "0.32.0"

_STREAM = {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}
_BASE: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}], "temperature": 0}
_PARAMETERS = {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}
_TOOL = {"type": "function", "function": {"name": "f", "parameters": _PARAMETERS | {"additionalProperties": False}}}

ASKED: dict[str, dict[str, Any]] = {
    "cut": {"max_tokens": 3, "min_tokens": 3},
    "stopped": {"max_tokens": 64},
    "choices": {"max_tokens": 2, "min_tokens": 2, "n": 2, "temperature": 1, "seed": 1},
    "called": {"max_tokens": 40, "tools": [_TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
    "faulted": {"max_tokens": 3, "logit_bias": {"99999": 1}},  # found out only when the stream has begun
}


def transcript(name: str) -> bytes:
    return _file(name).read_bytes()


def ask(url: str, name: str) -> bytes:
    """The stream that the server answers with now."""
    body = _BASE | _STREAM | ASKED[name]
    with httpx2.Client(trust_env=False, timeout=60) as client:
        return client.post(f"{url}/v1/chat/completions", json=body).raise_for_status().content


def _file(name: str) -> Path:
    return FOLDER / f"vllm-{VERSION}-{name}.sse"


if __name__ == "__main__":
    for each in ASKED:
        _file(each).write_bytes(ask(sys.argv[1], each))
