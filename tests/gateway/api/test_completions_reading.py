"""A raw prompt's request: everything that is not taken is refused by name, with what to do."""

import json
from typing import Any

import pytest

from gateway.api.completions import read_completion
from gateway.errors import InvalidValue
from gateway.settings import Server

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"prompt": None}, "prompt", "must be a string or a list of strings, none of them empty"),
    ({"prompt": ""}, "prompt", "must be a string"),
    ({"prompt": []}, "prompt", "must be a string"),
    ({"prompt": [""]}, "prompt", "must be a string"),
    ({"prompt": 7}, "prompt", "must be a string"),
    ({"prompt": ["a", 7]}, "prompt", "must be a string"),
    ({"prompt": ["a"] * 21}, "prompt", "21 prompts; at most 20"),
    ({"prompt": ["a", "b"], "stream": True}, "prompt", "A stream answers one prompt"),
    ({"prompt": [1, 2]}, "prompt", "send the text"),
    ({"prompt": [[1, 2], [3]]}, "prompt", "send the text"),
    ({"prompt": {"id": "answer", "variables": {}}}, "prompt", "Only /v1/chat/completions"),
    ({"suffix": "end"}, "suffix", "put it into the prompt"),
    ({"echo": True}, "echo", "must be false"),
    ({"best_of": 2}, "best_of", "use n"),
    ({"logprobs": 6}, "logprobs", "from 0 to 5"),
    ({"logprobs": True}, "logprobs", "from 0 to 5"),
    ({"n": 5}, "n", "from 1 to 4"),
    ({"messages": []}, "messages", "ask /v1/chat/completions"),
    ({"max_completion_tokens": 0}, "max_completion_tokens", "from 1 to"),
    ({"cache_salt": "mine"}, "cache_salt", "the gateway sets it"),
    ({"temprature": 1}, "temprature", "not a field"),
    ({"stream_options": {"include_usage": True}}, "stream_options", '"stream": true'),
    ({"gateway": {"retrieve": {"collection": "docs"}}}, "gateway.retrieve", "no place in a raw prompt"),
    ({"gateway": {"semantic": True}}, "gateway.semantic", "names none"),
    ({"gateway": {"casche": "use"}}, "gateway.casche", "not a field"),
    ({"model": None}, "model", "valid string"),
]


@pytest.mark.parametrize(("changes", "param", "says"), REFUSED)
def test_a_bad_field_is_named_with_what_to_do(changes: dict[str, Any], param: str, says: str) -> None:
    body = {"model": "small", "prompt": "Once upon"} | changes
    with pytest.raises(InvalidValue, match=says) as refused:
        read_completion(json.dumps(body).encode(), Server())
    assert refused.value.param == param


def test_one_prompt_is_alike_alone_and_in_a_list() -> None:
    for prompt in ("a", ["a"]):
        wanted = read_completion(json.dumps({"model": "small", "prompt": prompt}).encode(), Server())
        assert (wanted.asked.text, wanted.more) == ("a", ())
