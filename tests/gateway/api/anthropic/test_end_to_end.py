"""Messages over real sockets: a raw client in front, a scripted backend behind."""

from typing import Any

from tests.fakes.backend import DONE, PROMPT_TOKENS, Script, first, last, piece, said
from tests.fakes.said import called
from tests.gateway.api.anthropic.accumulated import accumulated
from tests.gateway.api.anthropic.conftest import Ask
from tests.gateway.api.conftest import Gateway

TOOL = {"name": "look", "input_schema": {"type": "object"}}
NEW = {"gateway": {"cache": "skip"}}
BREAKS = "a\u2028b\u2029c\u0085d\x0be \U0001f469\u200d\U0001f680"


def test_a_whole_answer(gateway: Gateway, ask: Ask) -> None:
    answer = ask(gateway.key("tokens/day=1000"), **NEW)
    body = answer.json()
    ours = body.pop("gateway")
    assert body == {
        "id": f"msg_{answer.headers['request-id']}",
        "type": "message",
        "role": "assistant",
        "model": "small",
        "content": [{"type": "text", "text": "Hello world"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": PROMPT_TOKENS,
            "cache_read_input_tokens": 0,
            "output_tokens": 2,
            "output_tokens_details": {"thinking_tokens": 0},
        },
    }
    assert ours["request_id"] == answer.headers["x-request-id"] == answer.headers["request-id"]
    assert ours["tokens"] == {"input": PROMPT_TOKENS, "output": 2, "cached": 0, "source": "exact"}
    assert (answer.headers["x-tokens-used"], answer.headers["x-cache"]) == ("15", "miss")


def test_what_reaches_the_backend_is_chat(gateway: Gateway, ask: Ask) -> None:
    ask(system="Be brief.", temperature=0.5, stop_sequences=["x"], metadata={"user_id": "u"}, tools=[TOOL])
    sent = gateway.fake.chats()[-1].body
    del sent["cache_salt"], sent["stream"], sent["stream_options"]
    assert sent == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_completion_tokens": 20,
        "temperature": 0.5,
        "stop": ["x"],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    }


def test_a_streamed_answer(gateway: Gateway, ask: Ask) -> None:
    answer = ask(gateway.key("tokens/day=1000"), stream=True, **NEW)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text.startswith("event: message_start\ndata: {")
    assert answer.text.endswith('event: message_stop\ndata: {"type":"message_stop"}\n\n')
    message = accumulated(answer.content)
    assert message["content"] == [{"type": "text", "text": "Hello world"}]
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("end_turn", 2)
    assert message["gateway"]["cost_usd"] == 1.7e-05


def test_streamed_and_whole_say_the_same(gateway: Gateway, ask: Ask) -> None:
    thought = (first(), piece({"reasoning": "Hm."}, 1), piece({"content": "So."}, 2, "stop"), last(2), DONE)
    scripts = [said(BREAKS), said("x" * 2**20), said('"}\n\nevent: error\n\n'), called("look", '{"a": 1}'), thought]
    for steps in scripts:
        gateway.fake.plan(Script(steps), Script(steps))
        request: dict[str, Any] = {"tools": [TOOL], **NEW}
        whole, streamed = ask(**request).json(), accumulated(ask(**request, stream=True).content)
        assert {name: streamed[name] for name in ("content", "stop_reason", "usage")} == {
            name: whole[name] for name in ("content", "stop_reason", "usage")
        }


def test_an_answer_goes_back_as_it_came(gateway: Gateway, ask: Ask) -> None:
    thought = (first(), piece({"reasoning": "Hm."}, 1), *called("look", '{"a": 1}')[1:])
    gateway.fake.plan(Script(thought))
    content = ask(tools=[TOOL], **NEW).json()["content"]
    result = {"type": "tool_result", "tool_use_id": content[-1]["id"], "content": "42"}
    history = [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    assert ask(tools=[TOOL], messages=[{"role": "user", "content": "Hi"}, *history], **NEW).status_code == 200
    assistant, tool = gateway.fake.chats()[-1].body["messages"][1:]
    call = {"id": content[-1]["id"], "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}
    assert assistant == {"role": "assistant", "content": None, "reasoning": "Hm.", "tool_calls": [call]}
    assert tool == {"role": "tool", "tool_call_id": content[-1]["id"], "content": "42"}


def test_a_cached_answer_is_the_same_and_costs_no_tokens(gateway: Gateway, ask: Ask) -> None:
    key = gateway.key("tokens/day=1000")
    fresh, kept, streamed = ask(key), ask(key), ask(key, stream=True)
    assert [answer.headers["x-cache"] for answer in (fresh, kept, streamed)] == ["miss", "exact", "exact"]
    assert kept.headers["x-tokens-used"] == fresh.headers["x-tokens-used"]
    assert kept.json()["content"] == fresh.json()["content"] == accumulated(streamed.content)["content"]


def test_a_request_is_safe_to_repeat_under_an_idempotency_key(gateway: Gateway) -> None:
    body = {"model": "small", "max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}], **NEW}
    headers = {"x-api-key": gateway.key(), "idempotency-key": "one"}
    once, again = [gateway.http.post("/v1/messages", headers=headers, json=body) for _ in range(2)]
    other = gateway.http.post("/v1/messages", headers=headers, json=body | {"max_tokens": 21})
    assert again.content == once.content
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status_code, other.json()["error"]["details"]["error_code"]) == (422, "idempotency_key_reused")
