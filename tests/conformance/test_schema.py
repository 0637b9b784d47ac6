"""Every kind of answer fits the types of OpenAI's package strictly, and the fields beyond them are known.

`gateway` is the gateway's own (on a stream's last chunk); `stop_reason`, `reasoning` and `max_model_len` are vLLM's.
"""

import pytest

from tests.conformance.conftest import Client, Said

CHATS = ("hello", "hard", "cut", "two", "tool", "tools", "reason", "logprobs", "engine")
STREAMS = ("streamed", "with_usage")
ERRORS = ("error-unknown", "error-down", "error-refused")


@pytest.fixture(scope="module", params=["strict-2", "strict-3"])
def said(client: Client, request: pytest.FixtureRequest) -> Said:
    return client(request.param)


@pytest.mark.parametrize("chat", CHATS)
def test_a_chat_completion(said: Said, chat: str) -> None:
    reasoned = ["choices.message.reasoning"] if chat == "reason" else []
    assert said[f"buffered-{chat}"] == sorted(["choices.stop_reason", "gateway", *reasoned])


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("stream", STREAMS)
def test_the_chunks_of_a_stream(said: Said, stream: str, chat: str) -> None:
    reasoned = ["choices.delta.reasoning"] if chat == "reason" else []
    assert said[f"{stream}-{chat}"] == sorted(["choices.stop_reason", "gateway", *reasoned])


@pytest.mark.parametrize("listed", ["model", "models"])
def test_a_model(said: Said, listed: str) -> None:
    assert said[listed] == ["max_model_len"]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_object(said: Said, error: str) -> None:
    assert said[error] == []
