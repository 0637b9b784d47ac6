"""Every way a chat completion fails, as OpenAI's package tells it, and what the package asks again."""

import time
from typing import Any

from openai import OpenAI

from tests.conformance.clients.openai_chat import chat, client, text_of
from tests.conformance.clients.report import KEY, KEYS, ask, case, raised


def refused(key: str = "plain", **fields: Any) -> Any:
    other = client.with_options(api_key=KEYS[key])
    asked = {"model": "small", "messages": ask("hello")} | fields
    return raised(lambda: other.chat.completions.create(**asked))


@case
def bad_request() -> Any:
    return refused(temperature=7)


@case
def bad_request_of_the_engine() -> Any:
    return refused(messages=ask("refused"))


@case
def bad_request_before_a_stream() -> Any:
    return refused(messages=ask("faulted"), stream=True)


@case
def too_long() -> Any:
    return refused(model="tiny", messages=ask("hello", " ".join(map(str, range(6000)))))


@case
def unauthenticated() -> Any:
    return refused("wrong")


@case
def not_allowed() -> Any:
    return refused("narrow")


@case
def not_found() -> Any:
    return refused(model="absent")


@case
def body_too_large() -> Any:
    return refused(messages=ask("x" * 1100 * 1024))


@case
def request_too_large() -> Any:
    return refused("small")


def third(key: str, retries: int) -> Any:
    """Of three requests the limit admits one, or two where its window ends in between."""
    other = client.with_options(api_key=KEYS[key], max_retries=retries)
    return raised(lambda: [other.chat.completions.create(model="small", messages=ask("hello")) for _ in range(3)])


@case
def rate_limited() -> Any:
    return third("hasty", retries=0)


@case
def budget_exceeded_is_not_retried() -> Any:
    """A retry would wait for a day."""
    return third("spent", retries=2)


@case
def backend_down() -> Any:
    return refused(messages=ask("down"))


@case
def backend_full() -> Any:
    return refused(messages=ask("full", "at once"))


@case
def backend_timeout() -> Any:
    return refused(model="hasty", messages=ask("hang"))


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
