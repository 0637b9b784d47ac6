"""Every kind of answer fits the types of OpenAI's package strictly, and the fields beyond them are known.

`gateway` is the gateway's own (on a stream's last chunk); `stop_reason`, `reasoning`,
`max_model_len` and the `id` and `created` of embeddings are vLLM's.
"""

import pytest

from tests.conformance.conftest import Client, Said

CHATS = ("hello", "hard", "cut", "two", "tool", "tools", "reason", "logprobs", "engine")
STREAMS = ("streamed", "with_usage")
RESPONSES = ("hello", "cut", "tools", "reason", "logprobs")
# What OpenAI's API has and not (yet) every version of its types.
UNTYPED = {"response.store", "name", "logprobs.bytes", "logprobs.top_logprobs.bytes"}
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


@pytest.mark.parametrize("response", RESPONSES)
def test_a_response(said: Said, response: str) -> None:
    assert said[f"response-{response}"] == ["gateway", "store"]


@pytest.mark.parametrize("response", RESPONSES)
def test_the_events_of_a_response(said: Said, response: str) -> None:
    assert set(said[f"response_streamed-{response}"]) - UNTYPED == {"response.gateway"}


@pytest.mark.parametrize("completion", ["completion", "completion_streamed"])
def test_a_text_completion(said: Said, completion: str) -> None:
    assert said[completion] == ["choices.stop_reason", "gateway"]


def test_embeddings(said: Said) -> None:
    assert said["embeddings"] == ["created", "gateway", "id"]


@pytest.mark.parametrize("listed", ["model", "models"])
def test_a_model(said: Said, listed: str) -> None:
    assert said[listed] == ["max_model_len"]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_object(said: Said, error: str) -> None:
    assert said[error] == []
