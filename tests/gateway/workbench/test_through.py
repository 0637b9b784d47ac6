"""through: what a gateway is asked, and what becomes of all that it may answer."""

import asyncio
import json
from typing import Any

import pytest

from gateway.workbench.asking import Question, Said, Unanswered
from gateway.workbench.through import Through
from serving.events import Usage
from tests.fakes.backend import JSON, FakeBackend, Script

PROMPT = {"id": "ask", "version": "abc", "variables": {"question": "Why?"}}
ASKED = Question("small", [{"role": "user", "content": "Why?"}], {"temperature": 0, "seed": 3}, PROMPT)
ANSWER = {
    "choices": [{"message": {"content": "So."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    "gateway": {"cost_usd": 1.5e-06},
}


def asked(answer: Any, status: int = 200, question: Question = ASKED) -> tuple[Said, dict[str, Any]]:
    """The answer, and the body that the gateway got."""

    async def run() -> tuple[Said, dict[str, Any]]:
        async with FakeBackend() as fake:
            fake.plan(Script((json.dumps(answer).encode(),), status, JSON))
            async with Through(fake.url, "tg_key") as gateway:
                said = await gateway.ask(question)
            (seen,) = fake.chats()
            assert seen.headers["authorization"] == "Bearer tg_key"
            return said, seen.body

    return asyncio.run(run())


def test_a_template_is_asked_for_by_its_version_and_its_fields_are_left_to_the_gateway() -> None:
    said, body = asked(ANSWER)
    assert (said.text, said.finish_reason, said.usage, said.cost_nano) == ("So.", "stop", Usage(3, 2), 1500)
    assert body == {
        "model": "small", "messages": [], "prompt": PROMPT, "seed": 3, "gateway": {"cache": "skip"}
    }  # fmt: skip


def test_messages_of_nobody_go_with_their_fields() -> None:
    _, body = asked(ANSWER, question=Question("small", ASKED.messages, ASKED.fields))
    assert (body["messages"], body["temperature"], "prompt" in body) == (ASKED.messages, 0, False)


def test_an_answer_that_the_gateway_will_not_pass_on_is_a_verdict() -> None:
    said, _ = asked({"error": {"code": "output_invalid", "message": "m"}}, 502)
    assert (said.text, said.finish_reason) == ("", "output_invalid")


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        ({"error": {"code": "prompt_not_found", "message": "no abc"}}, 404, "404 prompt_not_found: no abc"),
        ([], 200, "as a gateway does"),
        ({"choices": []}, 200, "none of a chat"),
        ({"choices": [{"message": None, "finish_reason": "stop"}], "usage": {}}, 200, "none of a chat"),
    ],
)
def test_anything_else_is_no_answer(answer: Any, status: int, why: str) -> None:
    with pytest.raises(Unanswered, match=why):
        asked(answer, status)
