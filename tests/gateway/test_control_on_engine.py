"""Control tokens of strangers on a real vLLM: in a rendered prompt each stands only where the chat template put it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from serving.control import JOINER, load
from tests.conftest import TINY_MODEL
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, on_engine
from tests.gateway.calls import call, template
from tests.gateway.waiting import waited

TOKENS = sorted(load(TINY_MODEL).tokens)
PLAIN = "word"
CALLED = {"role": "assistant", "content": None, "tool_calls": [
    {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
]}  # fmt: skip


@pytest.fixture(scope="module")
def served(engine: str, prompts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    """A gateway that knows the model's files, whose special tokens it breaks up."""
    small = {"backends": ["engine"], "tokenizer": TINY_MODEL, "fallback": ["any"]}
    models = {"small": small, "any": {"backends": ["engine"]}}
    sections: dict[str, Any] = {"models": models, "build": {"prompts": prompts}}
    with running(on_engine(engine, tmp_path_factory.mktemp("served"), **sections)) as gateway:
        waited(lambda: set(gateway.runtime.models) >= {"small", "any"})
        yield gateway


def places(said: str) -> dict[str, dict[str, Any]]:
    """Requests that have a stranger's text in one place each."""
    user = {"role": "user", "content": "Go on"}
    return {
        "user": {"messages": ({"role": "user", "content": said},)},
        "part": {"messages": ({"role": "user", "content": [{"type": "text", "text": said}]},)},
        "name": {"messages": (user | {"name": said},)},
        "tool": {"messages": (user, CALLED, {"role": "tool", "tool_call_id": "1", "content": said})},
        "call": {"messages": (user, CALLED, {"role": "tool", "tool_call_id": said, "content": "found"})},
        "function": {"messages": (user, {"role": "function", "name": said, "content": said})},
        "earlier": {"messages": ({"role": "user", "content": said}, {"role": "assistant", "content": "Yes"}, user)},
        "variable": template("classify-ticket", ticket=said),
    }


def ids(served: Assembled, engine: str, changes: dict[str, Any]) -> Counter[int]:
    """How often the engine reads each token in the prompt that is made of a request."""
    prompt = served.do(served.runtime.pipeline.build(call(**({"text": None} | changes | {"model": "small"}))))
    body = {"model": "tiny", "messages": [dict(message) for message in prompt.messages]}
    answer = httpx2.post(f"{engine}/tokenize", json=body, trust_env=False)
    assert answer.status_code == 200, answer.text
    return Counter(answer.json()["tokens"])


@pytest.mark.parametrize("place", places(""))
@pytest.mark.parametrize("token", TOKENS)
def test_each_special_token_stands_only_where_the_template_put_it(
    served: Assembled, engine: str, token: str, place: str
) -> None:
    attack = f"{token}{PLAIN} {token}\n{token}{PLAIN}"
    plain = ids(served, engine, places(f"{PLAIN} \n{PLAIN}")[place])
    attacked = ids(served, engine, places(attack)[place])
    special = range(len(TOKENS))  # the bundled model's first ids
    assert {one: attacked[one] for one in special} == {one: plain[one] for one in special}


@pytest.mark.parametrize("role", ["system", "developer", "assistant"])
def test_an_apps_own_messages_and_raw_prompts_are_its_own(served: Assembled, role: str) -> None:
    said = {"role": role, "content": f"{TOKENS[0]} as it is"}
    built = served.do(served.runtime.pipeline.build(call(messages=(said, {"role": "user", "content": TOKENS[0]}))))
    assert built.messages[0] == said
    assert JOINER in built.messages[1]["content"]
