"""POST /v1/completions and /v1/embeddings by OpenAI's package: the real engine's texts, scripted vectors."""

from typing import Any

from tests.conformance.clients.openai_chat import client
from tests.conformance.clients.report import case, raised

ASKED: dict[str, Any] = {"model": "tiny", "prompt": "Once upon a time", "max_tokens": 6, "temperature": 0}

complete: Any = client.completions.create
embed: Any = client.embeddings.create


@case
def completed() -> Any:
    said = complete(**ASKED)
    return [said.object, said.choices[0].finish_reason, said.usage.completion_tokens, bool(said.choices[0].text)]


@case
def completion_streams_the_same() -> Any:
    chunks = list(complete(**ASKED, stream=True))
    text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    heads = {(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}
    return [text == complete(**ASKED).choices[0].text, len(heads), [chunk for chunk in chunks if chunk.usage]]


@case
def completion_streams_usage() -> Any:
    chunks = list(complete(**ASKED, stream=True, stream_options={"include_usage": True}))
    return [chunks[-1].choices, chunks[-1].usage.completion_tokens, sum(chunk.usage is not None for chunk in chunks)]


@case
def completion_choices() -> Any:
    said = complete(**ASKED | {"temperature": 1}, n=2, seed=3)
    return [choice.index for choice in said.choices]


@case
def completion_logprobs() -> Any:
    found = complete(**ASKED, logprobs=2).choices[0].logprobs
    return [len(found.tokens), len(found.token_logprobs), all(len(top) >= 2 for top in found.top_logprobs)]


@case
def completion_stops() -> Any:
    whole = complete(**ASKED).choices[0].text
    stop = whole[len(whole) // 2 :][:2]
    choice = complete(**ASKED, stop=stop).choices[0]
    return [choice.finish_reason, choice.text == whole[: whole.index(stop)]]


@case
def completion_refused() -> Any:
    return raised(lambda: complete(**ASKED | {"temperature": 7}))


@case
def embedded() -> Any:
    """The package asks for base64 unless told otherwise; both are the same numbers."""
    packed, plain = (embed(model="vectors", input=["a", "b"], **how) for how in ({}, {"encoding_format": "float"}))
    vectors = [one.embedding for one in packed.data]
    return [vectors, vectors == [one.embedding for one in plain.data], [one.index for one in packed.data]]


@case
def embedding_counts_tokens() -> Any:
    usage = embed(model="vectors", input="a").usage
    return [usage.prompt_tokens, usage.total_tokens]


@case
def embedding_of_an_unknown_model() -> Any:
    return raised(lambda: embed(model="absent", input="x"))
