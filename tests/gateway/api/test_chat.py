"""Chat end to end over real sockets: OpenAI's own client in front, a scripted backend behind."""

import json
import time
from pathlib import Path

import httpx2
import pytest
from openai.types.chat import ChatCompletionUserMessageParam as User

from tests.fakes.backend import CHATS, DONE, HANG, PROMPT_TOKENS, Script, first, last, piece, said, words
from tests.fakes.background import running
from tests.gateway.api.conftest import Gateway, gateway_on, raw_post
from tests.gateway.waiting import waited

HI: list[User] = [{"role": "user", "content": "Hi"}]
BODY = {"model": "small", "messages": HI}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
BREAKS = "a\u2028b\u2029c\u0085d\x0be \U0001f469\u200d\U0001f680"


def test_a_whole_answer(gateway: Gateway) -> None:
    raw = gateway.openai("tokens/day=1000", "requests/minute=60").chat.completions.with_raw_response.create(
        model="small", messages=HI
    )
    answer = raw.parse()
    assert answer.object == "chat.completion"
    assert answer.model == "small"
    assert answer.choices[0].message.content == "Hello world"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (PROMPT_TOKENS, 2)
    ours = json.loads(raw.text)["gateway"]
    assert (ours["request_id"], ours["model"], ours["backend"]) == (raw.headers["x-request-id"], "small", "fake")
    assert ours["tokens"] == {"input": PROMPT_TOKENS, "output": 2, "cached": 0, "source": "exact"}
    assert answer.id == f"chatcmpl-{ours['request_id']}"


def test_the_headers_of_a_whole_answer_are_those_after_settlement(gateway: Gateway) -> None:
    client = gateway.openai("tokens/day=1000", "requests/minute=60")
    headers = client.chat.completions.with_raw_response.create(model="small", messages=HI).headers
    assert (headers["x-tokens-used"], headers["x-tokens-remaining"]) == ("15", "985")
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("60", "59")
    assert (headers["x-ratelimit-limit-tokens"], headers["x-ratelimit-remaining-tokens"]) == ("1000", "985")
    assert headers["x-ratelimit-reset-requests"].endswith("s")
    assert headers["x-cost-usd"] == "0.000017000"  # 13 at $1 and 2 at $2 a million
    assert headers["x-cache"] == "miss"
    assert headers["x-content-type-options"] == "nosniff"
    for stage in ("auth", "read", "preflight", "hold", "route", "generate"):
        assert f"{stage};dur=" in headers["server-timing"]


def test_resets_are_told_by_the_clock_that_limits_go_by(tmp_path: Path, admin_key: str) -> None:
    with running(gateway_on(tmp_path)) as gateway:
        key = gateway.key("requests/day=1")
        gateway.runtime.state.clock.anchor += 3 * 86_400  # as if the wall clock had been set back three days
        answers = [gateway.chat(BODY, key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    for answer in answers:
        hours, _, minutes = answer.headers["x-ratelimit-reset-requests"].rpartition("h")
        assert minutes
        assert int(hours or 0) <= 24


def test_the_callers_trace_goes_on(gateway: Gateway) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = gateway.chat(BODY, traceparent=f"00-{trace_id}-00f067aa0ba902b7-01")
    assert answer.headers["traceparent"].split("-")[1] == trace_id
    assert gateway.chat(BODY, traceparent="nonsense").headers["traceparent"].split("-")[1] != trace_id


def test_a_streamed_answer(gateway: Gateway) -> None:
    client = gateway.openai("tokens/day=1000")
    raw = client.chat.completions.with_raw_response.create(
        model="small", messages=HI, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(raw.parse())
    assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (raw.headers["cache-control"], raw.headers["x-accel-buffering"]) == ("no-cache", "no")
    assert int(raw.headers["x-tokens-used"]) == PROMPT_TOKENS + 64  # held; what was used is known at the end
    assert "x-cost-usd" not in raw.headers
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello world"
    assert len({(c.id, c.created, c.model) for c in chunks}) == 1
    assert [c.usage is None for c in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1].choices == []
    assert chunks[-1].model_dump()["gateway"]["cost_usd"] == 1.7e-05
    assert client.get("/usage", cast_to=httpx2.Response).json()["balances"][0]["held"] == 0


def test_streamed_and_whole_say_the_same_whatever_the_text(gateway: Gateway) -> None:
    for text in (BREAKS, "x" * 2**20, '"}\n\ndata: [DONE]\n\n'):
        gateway.fake.plan(Script(said(text)), Script(said(text)))
        client = gateway.openai()
        whole = client.chat.completions.create(model="small", messages=HI, extra_body={"gateway": {"cache": "skip"}})
        stream = client.chat.completions.create(
            model="small", messages=HI, stream=True, extra_body={"gateway": {"cache": "skip"}}
        )
        assert whole.choices[0].message.content == text
        assert "".join(c.choices[0].delta.content or "" for c in stream) == text


def test_several_choices_and_their_tool_calls(gateway: Gateway) -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    steps = (
        first(0), first(1), piece({"tool_calls": [call]}, 1, index=0), piece({"content": "Hm"}, 1, "stop", index=1),
        piece({}, 1, "tool_calls", index=0), last(2), DONE,
    )  # fmt: skip
    gateway.fake.plan(Script(steps), Script(steps))
    request = {**BODY, "n": 2, "tools": TOOLS}
    whole = gateway.chat(request).json()["choices"]
    assert [c["finish_reason"] for c in whole] == ["tool_calls", "stop"]
    assert whole[0]["message"]["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}
    assert whole[1]["message"]["content"] == "Hm"
    stream = gateway.chat({**request, "stream": True}).text.split("\n\n")
    choices = [json.loads(line.removeprefix("data: "))["choices"][0] for line in stream if "choices" in line]
    assert [c["index"] for c in choices if "role" in c["delta"]] == [0, 1]
    assert [(c["index"], c["finish_reason"]) for c in choices if c["finish_reason"]] == [(0, "tool_calls"), (1, "stop")]


def test_a_cached_answer_says_so_and_costs_no_tokens(gateway: Gateway) -> None:
    key = gateway.key("tokens/day=1000")
    first_answer, second = gateway.chat(BODY, key), gateway.chat(BODY, key)
    assert (first_answer.headers["x-cache"], second.headers["x-cache"]) == ("miss", "exact")
    assert second.headers["x-tokens-used"] == first_answer.headers["x-tokens-used"]
    assert second.json()["choices"] == first_answer.json()["choices"]
    assert second.json()["id"] != first_answer.json()["id"]
    streamed = gateway.chat({**BODY, "stream": True}, key)
    assert streamed.headers["x-cache"] == "exact"
    assert "Hello world" in streamed.text


def test_only_what_was_checked_reaches_the_backend(gateway: Gateway) -> None:
    gateway.chat({**BODY, "temperature": 0.5, "user": "u", "gateway": {"tags": {"a": "b"}}})
    sent = gateway.fake.chats()[-1]
    assert sent.body["temperature"] == 0.5
    assert not {"user", "gateway", "prompt"} & sent.body.keys()
    assert "authorization" not in sent.headers


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "script",
    [Script(delay=30.0), Script((HANG,)), Script((*words("Hel", "lo"), HANG))],
    ids=["before the backend answers", "before the first event", "in the middle"],
)
def test_a_client_that_hangs_up_stops_the_backend_and_pays(gateway: Gateway, script: Script, stream: bool) -> None:
    key, before = gateway.key("tokens/day=1000"), len(gateway.fake.chats())
    gateway.fake.plan(script)
    connection = gateway.connect()
    connection.sendall(raw_post(CHATS, json.dumps({**BODY, "stream": stream}).encode(), key))
    waited(lambda: len(gateway.fake.chats()) > before)
    seen = gateway.fake.chats()[-1]
    waited(lambda: seen.written == sum(len(step) for step in script.steps if isinstance(step, bytes)))
    connection.close()
    waited(lambda: seen.over.is_set())
    assert seen.left_early
    waited(lambda: gateway.balance(key)[1] == 0)
    assert gateway.balance(key)[0] >= PROMPT_TOKENS  # the engine has read the prompt


def test_a_key_that_is_revoked_while_its_body_comes_is_refused(gateway: Gateway) -> None:
    made = gateway.admin("POST", "/keys", json={"tenant": gateway.tenant()}).json()
    sent = raw_post(CHATS, json.dumps(BODY).encode(), made["key"])
    with gateway.connect() as client:
        client.sendall(sent[:-10])
        time.sleep(0.3)  # it is let in
        assert gateway.admin("DELETE", f"/keys/{made['id']}").status_code == 200
        client.sendall(sent[-10:])
        assert client.recv(12) == b"HTTP/1.1 401"
