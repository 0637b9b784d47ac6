"""Completions end to end over real sockets: OpenAI's own client in front, a scripted backend behind."""

import json
from typing import Any

import openai
import pytest
from openai.types import Completion

from tests.fakes.backend import DONE, HANG, MODEL, PROMPT_TOKENS, Script, Seen, event, usage
from tests.gateway.api.conftest import Gateway
from tests.gateway.api.raw_prompts import BODY, PATH, SKIP, chunk, framed, plan, sent, told
from tests.gateway.waiting import waited

BREAKS = "a\u2028b\u2029c\u0085d\x0be \U0001f469\u200d\U0001f680"


def test_a_whole_answer(gateway: Gateway) -> None:
    plan(gateway, told(" a", " time"))
    client = gateway.openai("tokens/day=1000", "requests/minute=60")
    raw = client.completions.with_raw_response.create(model="small", prompt="Once upon", extra_body=SKIP)
    answer = Completion.model_validate_json(raw.text, strict=True)
    assert (answer.object, answer.model) == ("text_completion", "small")
    assert [(c.text, c.finish_reason, c.logprobs) for c in answer.choices] == [(" a time", "stop", None)]
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (PROMPT_TOKENS, 2)
    ours = json.loads(raw.text)["gateway"]
    assert ours["tokens"] == {"input": PROMPT_TOKENS, "output": 2, "cached": 0, "source": "exact"}
    assert (answer.id, raw.headers["x-request-id"]) == (f"cmpl-{ours['request_id']}", ours["request_id"])
    assert (raw.headers["x-tokens-used"], raw.headers["x-cost-usd"]) == ("15", "0.000017000")


def test_what_reaches_the_backend(gateway: Gateway) -> None:
    plan(gateway, told("x"))
    asked = {"temperature": 0.5, "stop": ["\n"], "user": "u", "echo": False, "best_of": 1, "suffix": None, "seed": 7}
    assert gateway.post(PATH, BODY | asked).status_code == 200
    body = sent(gateway).body
    salt = body.pop("cache_salt")
    assert len(bytes.fromhex(salt)) == 32
    streamed = {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}
    fields = {"temperature": 0.5, "stop": ["\n"], "seed": 7, "max_tokens": 64}
    assert body == {"model": MODEL, "prompt": "Once upon"} | fields | streamed
    gateway.post(PATH, BODY)
    assert sent(gateway).body["cache_salt"] != salt  # another tenant's


def test_a_streamed_answer(gateway: Gateway) -> None:
    plan(gateway, told(" a", " time"))
    stream = gateway.openai().completions.create(
        model="small", prompt=["Once upon"], stream=True, stream_options={"include_usage": True}, extra_body=SKIP
    )
    chunks = list(stream)
    assert [c.choices[0].text for c in chunks if c.choices] == [" a", " time", ""]
    assert [c.choices[0].finish_reason for c in chunks if c.choices] == [None, None, "stop"]
    assert len({(c.id, c.object, c.created, c.model) for c in chunks}) == 1
    assert [c.usage is None for c in chunks] == [True, True, True, False]
    assert chunks[-1].choices == []
    assert chunks[-1].model_dump()["gateway"]["cost_usd"] == 1.7e-05


def test_every_chunk_is_as_the_client_types_it(gateway: Gateway) -> None:
    plan(gateway, told(" a", count=2))
    lines = gateway.post(PATH, BODY | {"stream": True, "n": 2}).text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    assert ["usage" in c for c in chunks] == [False] * 4
    assert ["gateway" in c for c in chunks] == [False, False, False, True]
    for c in chunks:
        reasons = [choice["finish_reason"] for choice in c["choices"]]
        assert reasons in ([None], ["stop"])
        c["choices"] = [choice | {"finish_reason": "stop"} for choice in c["choices"]]  # typed for the last chunk only
        Completion.model_validate_json(json.dumps(c), strict=True)


def test_streamed_and_whole_say_the_same_whatever_the_text(gateway: Gateway) -> None:
    for text in (BREAKS, "x" * 2**20, '"}\n\ndata: [DONE]\n\n', ""):
        plan(gateway, told(text))
        client = gateway.openai()
        whole = client.completions.create(model="small", prompt="Once upon", extra_body=SKIP)
        stream = client.completions.create(model="small", prompt="Once upon", stream=True, extra_body=SKIP)
        assert whole.choices[0].text == text
        assert "".join(c.choices[0].text for c in stream) == text


def test_an_equal_request_is_answered_from_the_cache(gateway: Gateway) -> None:
    plan(gateway, told(" first"), told(" second"))
    key = gateway.key()
    use = BODY | {"gateway": {"cache": "use"}}
    whole = gateway.post(PATH, use, key)
    again = gateway.post(PATH, use, key)
    other = gateway.post(PATH, use | {"prompt": "Twice upon"}, key)
    assert [answer.headers["x-cache"] for answer in (whole, again, other)] == ["miss", "exact", "miss"]
    assert [answer.json()["choices"][0]["text"] for answer in (whole, again, other)] == [" first", " first", " second"]
    assert " first" in gateway.post(PATH, use | {"stream": True}, key).text


def test_a_cut_answer_goes_on_where_it_stopped(gateway: Gateway) -> None:
    def logprobs(token: str) -> dict[str, Any]:
        return {"text_offset": [0], "token_logprobs": [-0.5], "tokens": [token], "top_logprobs": [{token: -0.5}]}

    end = (event(framed([], usage(1))), DONE)
    parts = [
        (chunk(" one", 1, "length", logprobs=logprobs(" one")), *end),
        (chunk(" two", 1, "stop", logprobs=logprobs(" two")), *end),
    ]
    asked = BODY | {"max_tokens": 1, "logprobs": 1, "gateway": {"on_length": "continue", "cache": "skip"}}
    plan(gateway, *parts)
    whole = Completion.model_validate_json(gateway.post(PATH, asked).text, strict=True).choices[0]
    assert sent(gateway).body["prompt"] == "Once upon one"
    assert (whole.text, whole.finish_reason) == (" one two", "stop")
    assert whole.logprobs
    assert (whole.logprobs.tokens, whole.logprobs.text_offset) == ([" one", " two"], [0, 4])
    plan(gateway, *parts)
    lines = [json.loads(line[6:]) for line in gateway.post(PATH, asked | {"stream": True}).text.split("\n\n")[:2]]
    assert [line["choices"][0]["logprobs"]["text_offset"] for line in lines] == [[0], [4]]


def test_several_prompts_are_as_many_calls_with_one_answer(gateway: Gateway) -> None:
    async def echo(seen: Seen) -> Script:
        return Script(told(f"{seen.body['prompt']}!", count=2))

    gateway.fake.answers[PATH] = echo
    client = gateway.openai("tokens/day=1000", "requests/day=10")
    prompts = ["a", "b", "c"]
    raw = client.completions.with_raw_response.create(model="small", prompt=prompts, n=2, extra_body=SKIP)
    answer = Completion.model_validate_json(raw.text, strict=True)
    assert [(c.index, c.text) for c in answer.choices] == [
        (0, "a!"),
        (1, "a!"),
        (2, "b!"),
        (3, "b!"),
        (4, "c!"),
        (5, "c!"),
    ]
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3 * PROMPT_TOKENS, 6)
    assert (raw.headers["x-tokens-used"], raw.headers["x-ratelimit-remaining-requests"]) == ("45", "7")
    assert raw.headers["x-cost-usd"] == "0.000051000"
    ours, id = json.loads(raw.text)["gateway"], raw.headers["x-request-id"]
    assert [one["request_id"] for one in ours["prompts"]] == [id, f"{id}-1", f"{id}-2"]
    rows = [gateway.admin("GET", f"/requests/{one['request_id']}").json() for one in ours["prompts"]]
    assert [(row["status"], row["input_tokens"], row["output_tokens"]) for row in rows] == [(200, PROMPT_TOKENS, 2)] * 3


def test_when_one_of_several_prompts_fails_so_does_the_request_and_nothing_stays_held(gateway: Gateway) -> None:
    async def fail_second(seen: Seen) -> Script:
        if seen.body["prompt"] == "b":
            return Script((b'{"error": {"message": "no", "code": 400}}',), status=400)
        return Script((chunk("x", 1), HANG))

    gateway.fake.answers[PATH] = fail_second
    key = gateway.key("tokens/day=1000")
    refused = gateway.post(PATH, BODY | {"prompt": ["a", "b", "c"]}, key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_value")
    assert gateway.balance(key)[1] == 0
    waited(lambda: not [s for s in gateway.fake.requests if s.path == PATH and not s.over.is_set()])


def test_a_bad_field_is_a_bad_request(gateway: Gateway) -> None:
    with pytest.raises(openai.BadRequestError, match="send the text") as refused:
        gateway.openai().completions.create(model="small", prompt=[1, 2])
    assert (refused.value.param, refused.value.code) == ("prompt", "invalid_value")


def test_a_prompt_that_does_not_fit_is_refused_with_the_numbers(gateway: Gateway) -> None:
    with gateway.counting(5000), pytest.raises(openai.BadRequestError, match="5000") as refused:
        gateway.openai().completions.create(model="small", prompt="Once", extra_body=SKIP)
    assert "4096" in refused.value.message
    assert (refused.value.param, refused.value.code) == ("prompt", "context_length_exceeded")


def test_a_key_of_named_prompts_sends_no_raw_ones(gateway: Gateway) -> None:
    scopes = {"prompts": ["answer"]}
    key = gateway.admin("POST", "/keys", json={"tenant": gateway.tenant(), "scopes": scopes}).json()["key"]
    before = len(gateway.fake.requests)
    refused = gateway.post(PATH, BODY, key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")
    assert "answer" in refused.json()["error"]["message"]
    assert len(gateway.fake.requests) == before


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_ceiling_goes_by_both_its_names(gateway: Gateway, name: str) -> None:
    plan(gateway, told(" a", finish="length"))
    refused = gateway.post(PATH, BODY | {name: 1, "gateway": {"on_length": "error", "cache": "skip"}})
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "output_truncated")
    assert "Raise max_completion_tokens" in refused.json()["error"]["message"]
    assert sent(gateway).body["max_tokens"] == 1
    assert "max_completion_tokens" not in sent(gateway).body


def test_a_stream_that_breaks_ends_with_an_error(gateway: Gateway) -> None:
    plan(gateway, (chunk("half", 1), event({"error": {"message": "no", "type": "x", "code": 500}}), DONE))
    lines = gateway.post(PATH, BODY | {"stream": True}).text.strip().split("\n\n")
    assert [json.loads(line.removeprefix("data: ")).get("error", {}).get("code") for line in lines] == [
        None, "backend_unavailable",
    ]  # fmt: skip
