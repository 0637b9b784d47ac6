"""LangChain's package for OpenAI: what an app's chains and agents ask of it."""

import asyncio
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from tests.conformance.clients.report import BASE_URL, KEY, LONG, ask, case, raised, report
from tests.conformance.clients.weather import TOOL, Weather

model: Any = ChatOpenAI(model="small", base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=120)


def say(script: str, name: str = "") -> list[Any]:
    return [HumanMessage(ask(script, name)[0]["content"])]


def called(calls: Any) -> Any:
    return [[call["id"], call["name"], call["args"]] for call in calls]


@case
def invoked() -> Any:
    said = model.invoke(say("hello"))
    usage = said.usage_metadata
    return [said.content, said.response_metadata["finish_reason"], usage["output_tokens"], usage["input_tokens"] > 0]


@case
def streamed() -> Any:
    return "".join(chunk.content for chunk in model.stream(say("hello")))


@case
def streamed_with_usage() -> Any:
    whole: Any = None
    for chunk in model.stream(say("hello"), stream_usage=True):
        whole = chunk if whole is None else whole + chunk
    return [whole.content, whole.usage_metadata["output_tokens"]]


@case
def batched() -> Any:
    return [said.content for said in model.batch([say("hello")] * 3)]


@case
def asynchronous() -> Any:
    async def run() -> Any:
        said = await model.ainvoke(say("hello"))
        return [said.content, "".join([chunk.content async for chunk in model.astream(say("hello"))])]

    return asyncio.run(run())


@case
def tools() -> Any:
    return called(model.bind_tools([TOOL]).invoke(say("tools")).tool_calls)


@case
def streamed_tools() -> Any:
    whole: Any = None
    for chunk in model.bind_tools([TOOL]).stream(say("tools")):
        whole = chunk if whole is None else whole + chunk
    return called(whole.tool_calls)


@case
def tool_round() -> Any:
    said = model.bind_tools([TOOL]).invoke(say("tools"))
    results = [ToolMessage("21", tool_call_id=call["id"]) for call in said.tool_calls]
    return model.bind_tools([TOOL]).invoke([*say("tools"), said, *results, *say("hello")]).content


@case
def structured_by_schema() -> Any:
    return model.with_structured_output(Weather, method="json_schema").invoke(say("json")).model_dump()


@case
def structured_by_tool() -> Any:
    return model.with_structured_output(Weather, method="function_calling").invoke(say("as-tool")).model_dump()


@case
def structured_by_mode() -> Any:
    return model.with_structured_output(Weather, method="json_mode").invoke(say("json")).model_dump()


@case
def likely() -> Any:
    said = model.bind(logprobs=True, top_logprobs=2).invoke(say("logprobs"))
    return [token["token"] for token in said.response_metadata["logprobs"]["content"]]


@case
def by_the_responses_api() -> Any:
    other: Any = ChatOpenAI(model="small", base_url=BASE_URL, api_key=KEY, use_responses_api=True, timeout=120)
    streamed = "".join(chunk.text for chunk in other.stream(say("hello")))
    return [other.invoke(say("hello")).text, streamed, called(other.bind_tools([TOOL]).invoke(say("tools")).tool_calls)]


@case
def embedded() -> Any:
    """Without that option the package sends OpenAI's token ids, which no other model can read."""
    other = OpenAIEmbeddings(model="vectors", base_url=BASE_URL, api_key=KEY, check_embedding_ctx_length=False)
    return other.embed_documents(["a", "b"])


@case
def unknown_model() -> Any:
    return raised(lambda: ChatOpenAI(model="absent", base_url=BASE_URL, api_key=KEY).invoke(say("hello")))


@case
def too_long() -> Any:
    small = ChatOpenAI(model="tiny", base_url=BASE_URL, api_key=KEY)
    return raised(lambda: small.invoke(say("hello", LONG)))


@case
def stream_breaks() -> Any:
    return raised(lambda: list(model.stream(say("reset-late"))))


@case
def retried() -> Any:
    patient = ChatOpenAI(model="small", base_url=BASE_URL, api_key=KEY, max_retries=2, timeout=120)
    return patient.invoke(say("hiccup", "hiccup")).content


@case
def engine() -> Any:
    small = ChatOpenAI(model="tiny", base_url=BASE_URL, api_key=KEY, max_tokens=8, temperature=0, timeout=120)
    return small.invoke(say("Count")).content == "".join(str(chunk.content) for chunk in small.stream(say("Count")))


if __name__ == "__main__":
    report()
