"""What OpenAI's own client makes of a failure, over real sockets: its class, and how often it is tried again."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam as User

from gateway.state import Hold, Limit
from gateway.state.open import open_state
from gateway.state.owners import owner
from tests.fakes.backend import JSON, RST, Script, said, words
from tests.gateway.api.conftest import Gateway
from tests.gateway.api.logged import lines, listened
from tests.gateway.waiting import waited

HI: list[User] = [{"role": "user", "content": "Hi"}]
FULL = Script(status=503, headers=JSON, steps=(b"{}",))


@pytest.mark.parametrize(
    ("error", "limits", "change"),
    [
        (openai.BadRequestError, (), {"temperature": 3}),
        (openai.NotFoundError, (), {"model": "gpt"}),
        (openai.PermissionDeniedError, ("usd/day=1",), {"model": "unpriced"}),
        (openai.RateLimitError, ("requests/day=1",), {}),
        (openai.APIStatusError, ("tokens/request=1",), {}),
    ],
)
def test_openais_client_raises_its_own_classes(
    gateway: Gateway, error: type[openai.APIStatusError], limits: tuple[str, ...], change: dict[str, Any]
) -> None:
    client = gateway.openai(*limits)
    if limits == ("requests/day=1",):
        client.chat.completions.create(model="small", messages=HI)
    with pytest.raises(error) as raised:
        client.chat.completions.create(**{"model": "small", "messages": HI, **change})
    assert raised.value.request_id
    assert raised.value.request_id.startswith("req_")
    assert raised.value.code


def test_openais_client_sees_a_wrong_key_and_a_broken_stream(gateway: Gateway) -> None:
    with pytest.raises(openai.AuthenticationError):
        gateway.openai().with_options(api_key="tg_no_key").models.list()
    gateway.fake.plan(Script((*words("Hel"), RST)))
    stream = gateway.openai().chat.completions.create(model="small", messages=HI, stream=True)
    assert next(stream).choices[0].delta.content == "Hel"
    with pytest.raises(openai.APIError) as raised:
        next(stream)
    assert raised.value.code == "backend_unavailable"


# What OpenAI's own client makes of an answer, allowed two retries: limits, request, the backend's scripts, statuses.
CUT = Script(said("Hel", finish="length"))
Obeyed = tuple[tuple[str, ...], dict[str, Any], tuple[Script, ...], list[int]]
OBEYED: dict[str, Obeyed] = {
    "a full backend is asked again": ((), {}, (FULL,), [503, 200]),
    "one that stays full is given up": ((), {}, (FULL, FULL, FULL), [503, 503, 503]),
    "a cut answer is not paid for again": ((), {"gateway": {"on_length": "error"}}, (CUT,), [502]),
    "a budget that is too small stays so": (("tokens/day=10",), {}, (), [413]),
}


@pytest.mark.parametrize("obeyed", OBEYED.values(), ids=OBEYED)
def test_openais_client_tries_as_often_as_it_is_told(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, obeyed: Obeyed
) -> None:
    limits, extra, scripts, statuses = obeyed
    gateway.fake.plan(*scripts)
    client = gateway.openai(*limits).with_options(max_retries=2)
    with attempts(caplog, len(statuses)) as seen, suppress(openai.APIStatusError):
        client.chat.completions.create(model="small", messages=HI, extra_body=extra)
    assert seen == statuses


def test_openais_client_gives_up_on_a_days_budget(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    client = gateway.openai("requests/day=1").with_options(max_retries=2)
    with attempts(caplog, 2) as seen:
        client.chat.completions.create(model="small", messages=HI)
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="small", messages=HI)
    assert seen == [200, 429]


def test_openais_client_waits_until_a_minute_has_room(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    tenant, limit = gateway.tenant("requests/minute=1"), Limit("requests", "minute", 1)
    key = gateway.admin("POST", "/keys", json={"tenant": tenant}).json()["key"]
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=1, http_client=gateway.http)

    async def spend(ago: float) -> None:
        """As a neighbour on the same state would have."""
        state = await open_state(gateway.runtime.settings.state.url)
        at = state.clock.now() - ago
        await state.budgets.hold(Hold("before", tenant, "k", owner(), {"requests": 1}, (limit,), (), at))
        await state.close()

    asyncio.run(spend(ago=55.0))
    with attempts(caplog, 2) as seen:
        client.chat.completions.create(model="small", messages=HI)
    assert seen == [429, 200]


@contextmanager
def attempts(caplog: pytest.LogCaptureFixture, least: int) -> Iterator[list[int]]:
    """The statuses of the chat requests that came within the block, once there are so many."""
    listened(caplog)
    began, statuses = datetime.now(UTC), list[int]()
    yield statuses

    def asked() -> list[dict[str, Any]]:
        since = [line for line in lines(caplog) if datetime.fromisoformat(line["at"]) > began]
        return [line for line in since if line["path"] == "/v1/chat/completions"]

    waited(lambda: len(asked()) >= least)
    statuses += [line["status"] for line in asked()]
