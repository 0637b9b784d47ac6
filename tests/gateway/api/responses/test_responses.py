"""Responses end to end over real sockets: OpenAI's own client in front, a scripted backend behind."""

import asyncio
import json
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import ResponseFunctionToolCall
from pydantic import BaseModel

from tests.fakes.backend import PROMPT_TOKENS, RST, Script, said, words
from tests.fakes.said import called
from tests.gateway.api.conftest import Gateway
from tests.gateway.api.hostile import BODIES, CANARY
from tests.gateway.api.responses.answers import thinking
from tests.gateway.api.responses.typed import events, response, told

SKIP = {"gateway": {"cache": "skip"}}
BODY = {"model": "small", "input": "Hi", **SKIP}
LOOK: Any = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}
SIMPLE = [
    "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
    "output_text.done", "content_part.done", "output_item.done", "completed",
]  # fmt: skip


class Ticket(BaseModel):
    title: str
    urgent: bool


def post(gateway: Gateway, body: dict[str, Any] | bytes, key: str | None = None, **headers: str) -> httpx2.Response:
    headers |= {"authorization": f"Bearer {key or gateway.key()}"}
    content: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    return gateway.http.post("/v1/responses", headers=headers, **content)


def sent(gateway: Gateway) -> Any:
    """The body of the chat that last reached the backend."""
    return gateway.fake.chats()[-1].body


def test_a_whole_answer(gateway: Gateway) -> None:
    client = gateway.openai("tokens/day=1000")
    raw = client.responses.with_raw_response.create(
        model="small", input="Hi", instructions="Be brief.", max_output_tokens=20, extra_body=SKIP
    )
    answer = raw.parse()
    assert (answer.output_text, answer.status, answer.model) == ("Hello world", "completed", "small")
    assert answer.usage
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (PROMPT_TOKENS, 2)
    assert (answer.instructions, answer.max_output_tokens) == ("Be brief.", 20)
    assert raw.headers["x-tokens-used"] == str(PROMPT_TOKENS + 2)
    ours = json.loads(raw.text)["gateway"]
    assert (answer.id, raw.headers["x-request-id"]) == (f"resp_{ours['request_id']}", ours["request_id"])
    assert response(json.loads(raw.text)).output_text == "Hello world"
    assert sent(gateway)["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert sent(gateway)["max_completion_tokens"] == 20


def test_a_streamed_answer(gateway: Gateway) -> None:
    raw = post(gateway, BODY | {"stream": True})
    assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
    stream = events(raw.content)
    assert told(stream) == SIMPLE
    assert "".join(event["delta"] for event in stream if event["type"].endswith("text.delta")) == "Hello world"
    assert len({event["response"]["id"] for event in stream if "response" in event}) == 1
    assert stream[-1]["response"]["gateway"]["cost_usd"] == 1.7e-05
    assert stream[-1]["response"]["usage"]["total_tokens"] == PROMPT_TOKENS + 2


def test_the_clients_reading_of_a_stream(gateway: Gateway) -> None:
    client = gateway.openai()
    assert [event.type.removeprefix("response.") for event in client.responses.create(
        model="small", input="Hi", stream=True, extra_body=SKIP
    )] == SIMPLE  # fmt: skip
    gateway.fake.plan(Script(thinking({"reasoning": "Hm."}, {"content": "Four."})))
    with client.responses.stream(model="small", input="2+2?", extra_body=SKIP) as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert (snapshots, final.output_text) == (["Four."], "Four.")
    assert [item.type for item in final.output] == ["reasoning", "message"]


def test_the_asynchronous_client(gateway: Gateway) -> None:
    async def ask() -> tuple[str, list[str]]:
        async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key(), max_retries=0) as client:
            whole = await client.responses.create(model="small", input="Hi", extra_body=SKIP)
            stream = await client.responses.create(model="small", input="Hi", stream=True, extra_body=SKIP)
            return whole.output_text, [event.type.removeprefix("response.") async for event in stream]

    assert asyncio.run(ask()) == ("Hello world", SIMPLE)


def test_a_function_is_called_and_its_output_sent_back(gateway: Gateway) -> None:
    client = gateway.openai()
    gateway.fake.plan(Script(called("look", '{"at": 1}')), Script(said("A door.")))
    asked: Any = [{"role": "user", "content": "Where?"}]
    first = client.responses.create(model="small", input=asked, tools=[LOOK], tool_choice="required")
    (call,) = first.output
    assert isinstance(call, ResponseFunctionToolCall)
    assert (call.name, call.arguments, call.status) == ("look", '{"at": 1}', "completed")
    tool = {"type": "function", "function": {name: LOOK[name] for name in ("name", "parameters", "strict")}}
    assert (sent(gateway)["tools"], sent(gateway)["tool_choice"]) == ([tool], "required")
    asked += first.output  # as the package's documentation does
    asked.append({"type": "function_call_output", "call_id": call.call_id, "output": "wood"})
    second = client.responses.create(model="small", input=asked, tools=[LOOK])
    assert second.output_text == "A door."
    function = {"name": "look", "arguments": '{"at": 1}'}
    assert sent(gateway)["messages"] == [
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": call.call_id, "type": "function", "function": function}
        ]},
        {"role": "tool", "tool_call_id": call.call_id, "content": "wood"},
    ]  # fmt: skip


def test_an_answer_of_any_kind_can_be_sent_back(gateway: Gateway) -> None:
    client = gateway.openai()
    gateway.fake.plan(Script(thinking({"reasoning": "Hm."}, {"content": '{"title": "a", "urgent": true}'})))
    first = client.responses.parse(model="small", input="Hi", text_format=Ticket, extra_body=SKIP)
    history: Any = [{"role": "user", "content": "Hi"}, *first.output, {"role": "user", "content": "And?"}]
    client.responses.create(model="small", input=history, extra_body=SKIP)
    said_before = {"role": "assistant", "content": '{"title": "a", "urgent": true}', "reasoning": "Hm."}
    assert sent(gateway)["messages"][1] == said_before


def test_a_parsed_answer(gateway: Gateway) -> None:
    client = gateway.openai()
    gateway.fake.plan(*[Script(said('{"title": "a",', ' "urgent": true}'))] * 2)
    answer = client.responses.parse(model="small", input="Hi", text_format=Ticket, extra_body=SKIP)
    assert answer.output_parsed == Ticket(title="a", urgent=True)
    named = sent(gateway)["response_format"]["json_schema"]
    assert (named["name"], named["strict"], named["schema"]["required"]) == ("Ticket", True, ["title", "urgent"])
    with client.responses.stream(model="small", input="Hi", text_format=Ticket, extra_body=SKIP) as stream:
        assert stream.get_final_response().output_parsed == answer.output_parsed


def test_an_answer_that_was_cut_is_incomplete(gateway: Gateway) -> None:
    gateway.fake.plan(*[Script(said("Hel", finish="length"))] * 3)
    whole = gateway.openai().responses.create(model="small", input="Hi", max_output_tokens=16, extra_body=SKIP)
    assert whole.status == "incomplete"
    assert whole.incomplete_details
    assert whole.incomplete_details.reason == "max_output_tokens"
    assert told(events(post(gateway, BODY | {"stream": True}).content))[-1] == "incomplete"
    strict = BODY | {"gateway": {"on_length": "error", "cache": "skip"}}
    refused = post(gateway, strict)
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "output_truncated")
    assert refused.json()["error"]["param"] == "max_output_tokens"


@pytest.mark.parametrize(
    ("finish", "reason"), [("content_filter", "content_filter"), ("repetition", "max_output_tokens")]
)
def test_an_answer_that_the_engine_ended_is_incomplete(gateway: Gateway, finish: str, reason: str) -> None:
    gateway.fake.plan(Script(said("Hel", finish=finish)))
    flagged = BODY | {"gateway": {"cache": "skip", "on_stop": {finish: "flag"}}}
    answer = post(gateway, flagged).json()
    assert (answer["status"], answer["incomplete_details"]) == ("incomplete", {"reason": reason})


def test_a_template_of_the_library(gateway: Gateway) -> None:
    gateway.fake.plan(Script(said('{"category": "bug", "severity": "low", "summary": "It blinks."}')))
    answer = gateway.openai().responses.create(
        prompt={"id": "classify-ticket", "variables": {"ticket": "The lamp blinks."}}, extra_body=SKIP
    )
    assert json.loads(answer.output_text)["category"] == "bug"
    assert answer.prompt
    assert answer.prompt.id == "classify-ticket"
    assert answer.model_dump()["gateway"]["prompt"]["id"] == "classify-ticket"


def test_a_response_and_a_chat_that_say_the_same_share_an_answer(gateway: Gateway) -> None:
    key = gateway.key()
    chat = gateway.chat({"model": "small", "messages": [{"role": "user", "content": "Hi"}]}, key)
    parts = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]
    for body in ({"input": "Hi"}, {"input": parts}, {"input": "Hi", "stream": True}):
        answer = post(gateway, {"model": "small", **body}, key)
        assert (chat.headers["x-cache"], answer.headers["x-cache"]) == ("miss", "exact")
        assert "Hello world" in answer.text


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({"max_output_tokens": 0}, "max_output_tokens", "^Error code: 400.*max_output_tokens must be a whole number"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format", "text.format is wrong"),
        ({"reasoning": {"effort": "extreme"}}, "reasoning.effort", "reasoning.effort must be one of"),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "send the whole conversation as input"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "Only tools of type function"),
        ({"input": []}, "input", "Send an input"),
    ],
)
def test_a_refusal_speaks_of_this_apis_fields(gateway: Gateway, body: dict[str, Any], param: str, says: str) -> None:
    before = len(gateway.fake.chats())
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match=says) as refused:
            gateway.openai().responses.create(**{"model": "small", "input": "Hi", "stream": stream} | body)
        assert (refused.value.param, refused.value.code) == (param, "invalid_value")
    assert len(gateway.fake.chats()) == before


def test_an_input_that_does_not_fit_is_named(gateway: Gateway) -> None:
    with gateway.counting(5000), pytest.raises(openai.BadRequestError, match="5000") as refused:
        gateway.openai().responses.create(model="small", input="Hi", extra_body=SKIP)
    assert (refused.value.param, refused.value.code) == ("input", "context_length_exceeded")


def test_other_refusals_have_their_classes(gateway: Gateway) -> None:
    with pytest.raises(openai.NotFoundError, match="nowhere"):
        gateway.openai().responses.create(model="nowhere", input="Hi")
    with pytest.raises(openai.AuthenticationError):
        gateway.openai().with_options(api_key="tg_bad").responses.create(model="small", input="Hi")
    client = gateway.openai("requests/minute=1")
    client.responses.create(model="small", input="Hi")
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model="small", input="Hi")
    with pytest.raises(openai.NotFoundError):
        gateway.openai().responses.retrieve("resp_1")


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_hostile_bytes_are_refused_and_not_quoted(gateway: Gateway, body: bytes) -> None:
    answer = post(gateway, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert CANARY not in answer.text


def test_a_stream_that_breaks_ends_with_an_error_that_clients_raise(gateway: Gateway) -> None:
    broken = Script((*words("Hel", "lo"), RST))
    gateway.fake.plan(broken, broken)
    stream = events(post(gateway, BODY | {"stream": True}).content)
    assert told(stream)[-2:] == ["output_text.delta", "error"]
    assert stream[-1]["code"] == stream[-1]["error"]["code"] == "backend_unavailable"
    with pytest.raises(openai.APIError, match="what was sent is incomplete") as raised:
        list(gateway.openai().responses.create(model="small", input="Hi", stream=True))
    assert raised.value.code == "backend_unavailable"


def test_a_request_sent_again_under_its_key_has_the_same_bytes(gateway: Gateway) -> None:
    key = gateway.key()
    first, again = [post(gateway, BODY | {"stream": True}, key, **{"idempotency-key": "k-1"}) for _ in range(2)]
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.content, again.headers["content-type"]) == (first.content, first.headers["content-type"])
