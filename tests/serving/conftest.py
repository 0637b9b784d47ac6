"""What vLLM itself makes of the requests and chat templates that these tests use; and the event loops."""

import asyncio
import gc
import json
import subprocess
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop

from serving.probes import PROBES
from tests.conftest import ENGINE_PYTHON

SOURCES = {path.stem: path.read_text() for path in (Path(__file__).parent / "templates").glob("*.jinja")}

_USER = {"role": "user", "content": "Hi"}
_BOT = {"role": "assistant", "content": "one, two "}
# What the probes leave out: odd shapes that vLLM accepts or refuses.
ODD: Mapping[str, Mapping[str, Any]] = {
    "custom role": {"messages": [{"role": "narrator", "content": "Once"}]},
    "alternating": {"messages": [{"role": "system", "content": "S"}, _USER, _BOT, _USER]},
    "effort": {"messages": [_USER], "reasoning_effort": "high"},
    "no effort": {"messages": [_USER], "reasoning_effort": "none"},
    "old reasoning": {"messages": [_USER, {**_BOT, "reasoning_content": "hm"}, _USER]},
    "refusal part": {"messages": [_USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]},
    "null text": {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}, {**_BOT, "content": []}]},
    "arguments as text": {
        "messages": [
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}, "index": 0}
                    for arguments in ('{"b": 1, "a": [2]}', "[1]", "", "{", "7", "null")
                ],
            }
        ]
    },
    "tool with more": {
        "messages": [_USER],
        "tools": [{"type": "function", "function": {"name": "f", "strict": True, "other": 1}, "more": 2}],
    },
    "empty parts": {
        "messages": [
            {"role": role, "content": [{"type": "text", "text": text} for text in ("", "a", "", "b", "")]}
            for role in ("system", "user", "assistant", "tool")
        ]
    },
    "billing line": {"messages": [{"role": "system", "content": "x-anthropic-billing-header: a\nBe kind."}, _USER]},
    "only a billing line": {"messages": [{"role": "system", "content": "x-anthropic-billing-header: a"}, _USER]},
    "continued parts": {
        "messages": [_USER, {"role": "assistant", "content": [{"type": "text", "text": "one "}]}],
        "continue_final_message": True,
        "add_generation_prompt": False,
    },
    "continued and prompted": {
        "messages": [_USER, _BOT],
        "continue_final_message": True,
        "add_generation_prompt": True,
    },
    "developer first and last": {
        "messages": [{"role": "developer", "content": "A", "tools": []}, _USER, {"role": "developer", "content": ""}]
    },
    "no messages": {"messages": []},
}
REQUESTS = {**PROBES, **ODD}


@pytest.fixture(scope="session")
def vllm_says(model_dir: Path) -> Any:
    """vLLM's word on every template and request, and on the fields of its request models."""
    asked = json.dumps({"model_dir": str(model_dir), "templates": SOURCES, "requests": REQUESTS})
    script = Path(__file__).with_name("oracle.py")
    answered = subprocess.run([ENGINE_PYTHON, script], input=asked, capture_output=True, text=True, check=False)
    assert answered.returncode == 0, answered.stderr[-2000:]
    return json.loads(answered.stdout[answered.stdout.index('{"') :])


@pytest.fixture(scope="session")
def oracle(vllm_says: Any) -> Any:
    """vLLM's word on every template and request."""
    return vllm_says["templates"]


@pytest.fixture(scope="session")
def engine_fields(vllm_says: Any) -> dict[str, list[str]]:
    """Every field of vLLM's request models, by the path of their endpoint."""
    fields: dict[str, list[str]] = vllm_says["fields"]
    return fields


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Callable[[Coroutine[Any, Any, None]], None]]:
    """Runs on either event loop (the gateway's is uvloop, the command line's asyncio's), which must not complain."""
    complaints: list[Mapping[str, Any]] = []
    with asyncio.Runner(loop_factory=request.param) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context))
        yield runner.run
        gc.collect()  # a task or a future that nobody asked for its exception complains when it goes
    assert complaints == []
