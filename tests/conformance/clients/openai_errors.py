"""Every way a chat completion fails, as OpenAI's package tells it, and what the package asks again."""

import time
from typing import Any

from openai import OpenAI

from tests.conformance.clients.openai_chat import chat, client, text_of
from tests.conformance.clients.report import (
    KEY,
    KEYS,
    LONG,
    REFUSALS,
    ask,
    case,
    declare_refusals,
    one_too_many,
    raised,
)

REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "bad_request_of_the_engine": ("plain", {"messages": ask("refused")}),
    "bad_request_before_a_stream": ("plain", {"messages": ask("faulted"), "stream": True}),
    "too_long": ("plain", {"model": "tiny", "messages": ask("hello", LONG)}),
    "request_too_large": ("small", {}),
    "backend_full": ("plain", {"messages": ask("full", "at once")}),
    "backend_timeout": ("plain", {"model": "hasty", "messages": ask("hang")}),
}


def asking(key: str, **fields: Any) -> Any:
    other: Any = client.with_options(api_key=key)
    return other.chat.completions.create(**{"model": "small", "messages": ask("hello")} | fields)


declare_refusals(asking, REFUSALS | REFUSED)


@case
def rate_limited() -> Any:
    return one_too_many(lambda: asking(KEYS["hasty"]))


@case
def budget_exceeded_is_not_retried() -> Any:
    """A retry would wait for a day."""
    patient = client.with_options(api_key=KEYS["spent"], max_retries=2)
    return one_too_many(lambda: patient.chat.completions.create(model="small", messages=ask("hello")))


@case
def client_timeout() -> Any:
    impatient = client.with_options(timeout=0.5)
    return raised(lambda: impatient.chat.completions.create(model="small", messages=ask("hang")))


@case
def no_connection() -> Any:
    nowhere = OpenAI(base_url="http://127.0.0.1:9/v1", api_key=KEY, max_retries=0)
    return raised(lambda: nowhere.chat.completions.create(model="small", messages=ask("hello")))


def broken(script: str, model: str = "small") -> Any:
    seen: list[Any] = []

    def read() -> None:
        for chunk in chat(script, model=model, stream=True):
            seen.append(chunk)

    return raised(read) | {"text": text_of(seen)}


@case
def stream_breaks() -> Any:
    return broken("reset-late")


@case
def engine_fails_in_a_stream() -> Any:
    return broken("faulted-late")


@case
def engine_hangs_in_a_stream() -> Any:
    return broken("hang-late", "hasty")


def retrying(script: str, name: str, **fields: Any) -> Any:
    patient: Any = client.with_options(max_retries=2)
    return patient.chat.completions.create(model="small", messages=ask(script, name), **fields)


@case
def retries_a_hiccup() -> Any:
    return retrying("hiccup", "hiccup").choices[0].message.content


@case
def retries_a_stream_that_has_not_begun() -> Any:
    return text_of(list(retrying("hiccup", "stream", stream=True)))


@case
def retries_when_it_was_told() -> Any:
    """The backend is full and says for how long; the gateway passes that on, and the client waits."""
    began = time.monotonic()
    return [retrying("full", "full").choices[0].message.content, time.monotonic() - began >= 2]


@case
def gives_up_after_two_retries() -> Any:
    return raised(lambda: retrying("down", "down"))


@case
def does_not_retry_a_bad_request() -> Any:
    return raised(lambda: retrying("refused", "refused"))


@case
def does_not_retry_what_was_told_not_to() -> Any:
    """A cut answer under the policy `error` is a 502, and x-should-retry says no."""
    return raised(lambda: retrying("cut", "cut", extra_body={"gateway": {"on_length": "error"}}))
